"""The local Kinesis over HTTP: the endpoint with its requests, HTTP/2, HTTPS, and the paths for tests."""
