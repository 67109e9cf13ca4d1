"""What else scores Parquet files on one machine, each in a process of its own."""
