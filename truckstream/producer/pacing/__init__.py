"""When records may be sent: each shard's rate, the number of requests in flight, retries and refreshes of the map."""
