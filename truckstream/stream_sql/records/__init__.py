"""The records of the stream: valid ones with their event times, as columns that DuckDB reads."""
