"""The shards that a consumer reads: for each a task that reads ahead, and one that passes the records on."""
