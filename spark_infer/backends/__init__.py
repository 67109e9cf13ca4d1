"""Backends run tensors. This folder is the only home of torch."""

from __future__ import annotations

from spark_infer.backends.backend import Backend, Precision
from spark_infer.backends.function import FunctionBackend
from spark_infer.backends.load import load_backend

__all__ = ["Backend", "FunctionBackend", "Precision", "load_backend"]
