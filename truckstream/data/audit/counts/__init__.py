"""Compare the numbers of stored records with the metrics of the stream."""
