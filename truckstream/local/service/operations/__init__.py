"""The operations of the API that create, read, write and reshard streams."""
