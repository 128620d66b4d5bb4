"""What open windows contain: groups of records with one key in one window."""
