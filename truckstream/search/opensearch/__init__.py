"""The connection to OpenSearch: opensearch-py's client, credentials of AWS, and the kinds of failures."""
