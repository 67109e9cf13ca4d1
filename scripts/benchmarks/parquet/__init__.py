"""From Parquet files to Parquet files."""
