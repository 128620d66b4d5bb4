"""The batcher on a consumer: a stream's records in objects, each once, without Lambda."""
