"""What a model is: signature, manifest, digest, and the directory that holds them."""

from __future__ import annotations

from spark_infer.bundle.bundle import Bundle
from spark_infer.bundle.columns import Column
from spark_infer.bundle.inputs import ArrayInput, Input, RaggedInput, ScalarInput
from spark_infer.bundle.manifest import Manifest, ModelFormat
from spark_infer.bundle.outputs import Output
from spark_infer.bundle.signature import Signature

__all__ = [
    "ArrayInput",
    "Bundle",
    "Column",
    "Input",
    "Manifest",
    "ModelFormat",
    "Output",
    "RaggedInput",
    "ScalarInput",
    "Signature",
]
