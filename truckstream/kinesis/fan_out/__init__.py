"""Enhanced fan-out: registered consumers, and subscriptions over HTTP/2."""
