"""Rows and models that several benchmarks run."""
