"""The journal of replayed records, which makes a replay exactly once."""
