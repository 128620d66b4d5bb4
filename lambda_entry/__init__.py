"""The batcher as a Lambda function: the handler, its settings and its log."""
