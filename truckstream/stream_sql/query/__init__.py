"""The SQL: checking that it is one SELECT, DuckDB's answer for a window, and the changes since the last answer."""
