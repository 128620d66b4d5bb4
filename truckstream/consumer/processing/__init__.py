"""What happens to the records of a shard: the application's loop, its handler, and the end of both."""
