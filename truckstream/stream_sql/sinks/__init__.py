"""Where results go: lines of JSON, another stream, objects."""
