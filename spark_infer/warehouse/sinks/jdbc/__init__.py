"""A table of PostgreSQL: staged beside it by parallel writers, published in one transaction."""
