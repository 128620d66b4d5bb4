"""The local Kinesis over HTTP: the server and its endpoint, each request with its faults, and the paths for tests.

- `server` accepts connections; `endpoint` responds to their requests.
- `limits` bounds what clients take of it, and `security` decides who may call it.
- `http2` serves HTTP/2 through the same endpoint.
"""
