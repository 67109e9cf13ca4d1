"""Column steps that SQL cannot do: what runs the transforms that a bundle's inputs describe."""

from __future__ import annotations

from spark_infer.transforms.decoder import make_decoder
from spark_infer.transforms.find import examples_of, find_transformer

__all__ = ["examples_of", "find_transformer", "make_decoder"]
