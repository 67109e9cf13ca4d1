"""The typed inputs of a signature: which columns become which tensor."""

from __future__ import annotations

from spark_infer.bundle.inputs.array import ArrayInput
from spark_infer.bundle.inputs.input import Input, Vocabulary, vocabulary_file
from spark_infer.bundle.inputs.ragged import RaggedInput
from spark_infer.bundle.inputs.scalar import ScalarInput
from spark_infer.bundle.inputs.tensor import InputTensor, Mask

__all__ = [
    "ArrayInput",
    "Input",
    "InputTensor",
    "Mask",
    "RaggedInput",
    "ScalarInput",
    "Vocabulary",
    "vocabulary_file",
]
