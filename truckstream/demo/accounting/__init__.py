"""Compare the stored records with the records that were put, and report the result."""
