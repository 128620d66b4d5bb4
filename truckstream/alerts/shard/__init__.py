"""What is kept for each shard: its evaluator, the events that wait for targets, and the state of both."""
