"""Deployment by CloudFormation: the template, plans, execution, and deletion."""
