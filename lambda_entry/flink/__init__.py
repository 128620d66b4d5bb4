"""The Managed Flink application: figures of the stream in windows, as SQL."""
