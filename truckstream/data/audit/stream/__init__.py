"""Compare the objects with the records that the stream still holds."""
