"""How far a query has come, kept for the next run."""
