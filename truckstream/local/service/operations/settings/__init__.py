"""The operations of the API that read or change a setting of a stream or an account."""
