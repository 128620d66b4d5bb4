"""The query language: from a text to a tree, and from the tree to DuckDB's SQL or OpenSearch's query DSL."""
