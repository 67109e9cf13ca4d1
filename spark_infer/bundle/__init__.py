"""What a model is: signature, manifest, digest, and the directory that holds them."""

from __future__ import annotations

from spark_infer.bundle.artifact import Artifact, ModelFormat
from spark_infer.bundle.bundle import Bundle
from spark_infer.bundle.columns import Column
from spark_infer.bundle.inputs import (
    ArrayInput,
    Input,
    InputTensor,
    Mask,
    RaggedInput,
    ScalarInput,
)
from spark_infer.bundle.manifest import Manifest
from spark_infer.bundle.outputs import Output
from spark_infer.bundle.signature import Signature
from spark_infer.bundle.transforms import HashBuckets, RawBytes, Tokenize, Transform

__all__ = [
    "ArrayInput",
    "Artifact",
    "Bundle",
    "Column",
    "HashBuckets",
    "Input",
    "InputTensor",
    "Manifest",
    "Mask",
    "ModelFormat",
    "Output",
    "RaggedInput",
    "RawBytes",
    "ScalarInput",
    "Signature",
    "Tokenize",
    "Transform",
]
