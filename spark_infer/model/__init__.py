"""A model: rows of windows in, their outputs out. No Arrow tables, no pyspark, no framework.

It plans batches, runs them on a backend, learns how large they should be, and survives memory that
runs out and rows on which it fails. One in this process is a ``LocalModel``.
"""

from __future__ import annotations

from spark_infer.model.load import load_model
from spark_infer.model.local import LocalModel
from spark_infer.model.model import InFlight, Model, Result, Window
from spark_infer.model.options import BatchOptions

__all__ = ["BatchOptions", "InFlight", "LocalModel", "Model", "Result", "Window", "load_model"]
