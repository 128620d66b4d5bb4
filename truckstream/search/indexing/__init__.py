"""Records into OpenSearch: documents, bulk requests with their retries, and the settings of the indexes."""
