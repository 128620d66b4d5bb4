"""The SQL: is it one SELECT, what does DuckDB answer for a window, and what has changed since the last answer."""
