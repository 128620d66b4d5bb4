"""Reading one shard: when to ask for which page, how much to read ahead, and the user records of a page."""
