"""What clients may take of the server: connections, time, and memory for bodies and responses."""
