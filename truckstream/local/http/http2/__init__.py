"""HTTP/2: a connection that forwards each of its requests as HTTP/1.1, within this process."""
