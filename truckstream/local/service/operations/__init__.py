"""The operations of the API: streams, shards, records and consumers; those on settings are in `settings/`."""
