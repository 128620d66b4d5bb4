"""The records to replay: find, read, repair and judge them."""
