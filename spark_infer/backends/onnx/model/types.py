"""Tensors of a graph, with types as NumPy and signatures call them."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import TensorProto, ValueInfoProto

from spark_infer.errors import BundleError

STRING = "string"

_DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.BOOL: "bool",
    TensorProto.INT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.STRING: STRING,
}

SIGNATURE_DTYPES = {
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "int64",
    STRING: "int64",
}
"""What a signature has for a type of a graph that it has no word for. Text comes as ids."""


@dataclass(frozen=True)
class GraphTensor:
    """An input or output of a graph.

    Attributes:
        name: What the graph calls it.
        dtype: NumPy name of its type, or ``STRING``.
        dims: Each axis: its size, its name where it is dynamic, or None where it has no name; None
            for all of them where not even their number is known.
    """

    name: str
    dtype: str
    dims: tuple[int | str | None, ...] | None

    @property
    def signature_dtype(self) -> str:
        """The type of the signature's tensor."""
        return SIGNATURE_DTYPES.get(self.dtype, self.dtype)

    def __str__(self) -> str:
        known = self.dims or ()
        dims = ", ".join("?" if dim is None else str(dim) for dim in known)
        return f"{self.name!r} {self.dtype}[{dims}]"


def tensor_of(value: ValueInfoProto, *, what: str) -> GraphTensor:
    """Read an input or output.

    Raises:
        BundleError: It is no tensor, or of a type that is not supported.
    """
    kind = value.type.WhichOneof("value")
    if kind in ("sequence_type", "map_type", "optional_type", "sparse_tensor_type"):
        word = kind.removesuffix("_type").replace("_", " ")
        raise BundleError(
            f"{what} {value.name!r} of the ONNX graph is a {word} and columns hold tensors only; "
            "export a graph that takes and returns tensors (of scikit-learn with "
            "options={'zipmap': False})"
        )
    number = value.type.tensor_type.elem_type
    if kind != "tensor_type" or number not in _DTYPES:
        name = TensorProto.DataType.Name(number).lower() if kind == "tensor_type" else "of no type"
        raise BundleError(
            f"{what} {value.name!r} of the ONNX graph is {name}, which no column has; export it "
            "with one of " + ", ".join(sorted(set(_DTYPES.values())))
        )
    return GraphTensor(value.name, _DTYPES[number], _dims(value))


def _dims(value: ValueInfoProto) -> tuple[int | str | None, ...] | None:
    shape = value.type.tensor_type
    if not shape.HasField("shape"):
        return None
    dims: list[int | str | None] = []
    for dim in shape.shape.dim:
        named = dim.dim_param or None
        dims.append(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else named)
    return tuple(dims)
