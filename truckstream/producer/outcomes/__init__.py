"""The outcome of each record: the Delivery that callers await, the error of a failure, and flushes."""
