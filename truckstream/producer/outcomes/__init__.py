"""What becomes of each record: its Delivery, its error, and the flushes that wait for it."""
