"""Ask OpenSearch, or the stored objects through DuckDB."""
