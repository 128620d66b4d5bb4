"""Lease tables: in memory, in a file for the processes of one machine, and in DynamoDB."""
