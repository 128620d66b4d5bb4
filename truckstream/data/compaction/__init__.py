"""Compact the small objects of an hour into few large Parquet files, each record once."""
