"""The CloudFormation template, and the tables and queries that depend on the schema."""
