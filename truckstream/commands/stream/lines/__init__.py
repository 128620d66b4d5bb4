"""The lines that `truckstream put` reads, and their way into the stream."""
