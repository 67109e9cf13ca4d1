"""A few synthetic rows of a bundle, as tensors, and what its model answered when it was saved."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_infer.bundle.columns import MAX_DIMENSIONS, MAX_SIZE
from spark_infer.bundle.documents import cut, parse, shown
from spark_infer.bundle.files.folder import read_file
from spark_infer.bundle.signature import Signature
from spark_infer.errors import BundleError

EXAMPLES_FILE = "examples.json"
MAX_EXAMPLES_BYTES = 2**22

_MAX_RAW_BYTES = 2**20
"""Larger tensors, such as those of images, are not kept."""
_MAX_DIMENSIONS = MAX_DIMENSIONS + 2
"""Most of a tensor: those of one row, with rows and positions before."""
_TEXT = "str"
_DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
)

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """One output of the rows.

    Attributes:
        shape: Its shape, (rows, ...).
        values: Its numbers; None where equal rows may get different ones.
    """

    shape: tuple[int, ...]
    values: Array | None


@dataclass(frozen=True)
class Examples:
    """Rows and answers.

    Attributes:
        inputs: The model's tensors by name, in its order, each of shape (rows, ...).
        answers: Its outputs, in the order of the signature.
        tolerance: How far an answer may be apart, as a share of it.
    """

    inputs: Mapping[str, Array]
    answers: Sequence[Answer]
    tolerance: float

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return self.answers[0].shape[0]

    @property
    def is_small(self) -> bool:
        """Whether they are small enough to be kept in a bundle."""
        arrays = [*self.inputs.values(), *(a.values for a in self.answers if a.values is not None)]
        return sum(map(_num_bytes, arrays)) <= _MAX_RAW_BYTES

    def write(self, root: Path) -> None:
        """Write them into a bundle's directory."""
        data = {
            "inputs": {name: _to_json(array) for name, array in self.inputs.items()},
            "outputs": [
                {"shape": list(a.shape)} if a.values is None else _to_json(a.values)
                for a in self.answers
            ],
            "tolerance": self.tolerance,
        }
        (root / EXAMPLES_FILE).write_text(json.dumps(data, ensure_ascii=False), "utf-8")

    @classmethod
    def read(cls, root: Path, signature: Signature) -> Examples:
        """Return the examples of a bundle.

        Raises:
            BundleError: They are damaged, or not those of the signature.
        """
        try:
            data = parse(read_file(root, EXAMPLES_FILE, MAX_EXAMPLES_BYTES))
            return cls._from_json(data, signature)
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
            raise BundleError(
                f"bundle {root}: {EXAMPLES_FILE} is damaged ({cut(error)}); save the bundle again"
            ) from None

    @classmethod
    def _from_json(cls, data: Any, signature: Signature) -> Examples:
        if not isinstance(data, dict) or data.keys() != {"inputs", "outputs", "tolerance"}:
            raise ValueError("it must have inputs, outputs and tolerance")
        inputs = {name: _from_json(item) for name, item in data["inputs"].items()}
        if tuple(inputs) != signature.tensor_names:
            raise ValueError(f"its tensors are {shown([*inputs])}")
        answers = [_answer(item) for item in data["outputs"]]
        if len(answers) != len(signature.outputs):
            raise ValueError(f"it has {len(answers)} outputs")
        for answer, output in zip(answers, signature.outputs, strict=True):
            before = 1 if output.lengths_of is None else 2
            if len(answer.shape) < before or answer.shape[before:] != output.tensor_shape:
                raise ValueError(f"output {shown(output.name)} has shape {list(answer.shape)}")
        shapes = [*(array.shape for array in inputs.values()), *(a.shape for a in answers)]
        if min(map(len, shapes)) < 1 or len({shape[0] for shape in shapes}) != 1:
            raise ValueError("its tensors are not of as many rows")
        if not shapes[0][0]:
            raise ValueError("it has no rows")
        tolerance = data["tolerance"]
        if type(tolerance) is not float or not 0 <= tolerance <= 1:
            raise ValueError(f"its tolerance is {shown(tolerance)}")
        return cls(inputs, answers, tolerance)


def _answer(data: Any) -> Answer:
    if data.keys() == {"shape"}:
        return Answer(_shape(data["shape"]), None)
    values = _from_json(data)
    return Answer(values.shape, values)


def _to_json(array: Array) -> dict[str, Any]:
    if array.dtype.kind in "OU":
        return {"dtype": _TEXT, "shape": list(array.shape), "values": array.reshape(-1).tolist()}
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "base64": base64.b64encode(little.tobytes()).decode(),
    }


def _from_json(data: Any) -> Array:
    shape = _shape(data["shape"])
    if data["dtype"] == _TEXT:
        words = data.get("values")
        if data.keys() != {"dtype", "shape", "values"} or not isinstance(words, list):
            raise ValueError("a tensor of text must have dtype, shape and a list of values")
        if not all(isinstance(word, str) for word in words):
            raise ValueError("a tensor of text must hold text")
        if len(words) != math.prod(shape):
            raise ValueError(f"a tensor of shape {list(shape)} has {len(words)} values")
        return np.array(words, object).reshape(shape)
    if data.keys() != {"dtype", "shape", "base64"} or not isinstance(data["dtype"], str):
        raise ValueError("a tensor must have dtype, shape and base64")
    # Not whatever numpy takes for one: it reads other texts as Python.
    if data["dtype"] not in _DTYPES:
        raise ValueError(f"a tensor is of {shown(data['dtype'])}")
    dtype = np.dtype(data["dtype"])
    content = base64.b64decode(data["base64"], validate=True)
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a tensor of shape {list(shape)} has {len(content)} bytes")
    if dtype == np.bool_ and max(content, default=0) > 1:
        # torch's kernels count on it.
        raise ValueError("a tensor of bool has bytes that are neither 0 nor 1")
    found: Array = np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape).astype(dtype)
    return found


def _shape(data: Any) -> tuple[int, ...]:
    if not isinstance(data, list) or not all(type(size) is int and size >= 0 for size in data):
        raise ValueError(f"a shape is {shown(data)}")
    if len(data) > _MAX_DIMENSIONS:
        raise ValueError(f"a shape has {len(data):,} dimensions, more than {_MAX_DIMENSIONS}")
    if max(data, default=0) > MAX_SIZE:
        raise ValueError(f"a shape is {shown(data)}, and {MAX_SIZE:,} is the largest size")
    return tuple(data)


def _num_bytes(array: Array) -> int:
    if array.dtype.kind in "OU":
        return sum(len(str(text)) for text in array.reshape(-1).tolist())
    return array.nbytes
