"""The service's limits, and the token buckets that enforce them."""
