"""`truckstream sql`: ask a stream in SQL."""
