"""HTTP/1.1 over kept connections, or through aiohttp where a proxy is needed."""
