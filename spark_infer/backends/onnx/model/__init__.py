"""A model of ONNX as it is read: checked, in one file, with tensors in NumPy's words."""

from __future__ import annotations
