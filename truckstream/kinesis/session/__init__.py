"""The user's AWS session: the endpoint, request templates, credentials, signatures and the service's clock."""
