"""A user's own modules in the function's zip, such as the one with the schema."""
