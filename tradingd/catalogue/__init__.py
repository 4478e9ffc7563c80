"""A folder of bars, trades and quotes as Parquet, each beside a record of where it came from and what was done."""
