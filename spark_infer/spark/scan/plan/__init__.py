"""What Spark's plan of a DataFrame reads, and what it does with it before the model."""

from __future__ import annotations
