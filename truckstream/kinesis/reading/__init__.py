"""Reading a stream: iterators, pages of records, and subscriptions."""
