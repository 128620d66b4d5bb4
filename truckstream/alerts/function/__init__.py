"""Alerts inside the Lambda function: the rules that work there, their state, and a topic."""
