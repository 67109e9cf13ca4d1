"""What the inputs of a graph are for, beside those that columns feed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from spark_infer.backends.onnx.model.types import GraphTensor
from spark_infer.errors import BundleError

_BATCH = re.compile(r"(?i)(.*batch.*|bs?|n|rows|none|unk.*)")
_TIME = re.compile(r"(?i)(.*(seq|time|length|frames|steps|samples).*|t|l|len)")
_MASK = re.compile(r"(?i).*mask.*")
_ZEROS = re.compile(r"(?i).*(token_type_ids|segment_ids|token_types)")
_STATE_WORDS = frozenset(
    {
        "state",
        "states",
        "hidden",
        "cell",
        "cache",
        "memory",
        "past",
        "present",
        "carry",
        "h",
        "c",
        "hx",
        "cx",
        "key",
        "values",
    }
)
_AFFIXES = frozenset(
    {
        "in",
        "out",
        "input",
        "output",
        "new",
        "next",
        "prev",
        "n",
        "0",
        "initial",
        "final",
    }
)


def is_mask(tensor: GraphTensor) -> bool:
    """Return whether an input says by its name and type that it is a mask."""
    has_lengths = tensor.dims is not None and len(tensor.dims) == 2
    return has_lengths and bool(_MASK.fullmatch(tensor.name))


def is_zeros(tensor: GraphTensor) -> bool:
    """Return whether an input says by its name that zeros are meant where nothing is."""
    return bool(_ZEROS.fullmatch(tensor.name)) and tensor.dtype.startswith("int")


def check_axes(inputs: Mapping[str, GraphTensor], outputs: Mapping[str, GraphTensor]) -> None:
    """Refuse graphs that do not take rows, by the input that shows it.

    Raises:
        BundleError: An input is a single number, carries state from call to call, or has another
            axis in front than that of rows.
    """
    for tensor in inputs.values():
        if (twin := _twin(tensor, outputs)) is not None:
            raise BundleError(
                f"input {tensor.name!r} of the ONNX model carries state from call to call (output "
                f"{twin!r} is its next value), and rows of a table have no order; export the model "
                "without it: one that takes whole sequences and begins with its own first state"
            )
    for tensor in inputs.values():
        _check_first_axis(tensor, inputs)


def _check_first_axis(tensor: GraphTensor, inputs: Mapping[str, GraphTensor]) -> None:
    dims = tensor.dims
    if dims is None:
        raise BundleError(
            f"input {tensor.name!r} of the ONNX model does not say its number of axes; export it "
            "with its shape, the first axis dynamic"
        )
    others_vary = any(
        other.dims and not isinstance(other.dims[0], int)
        for other in inputs.values()
        if other is not tensor
    )
    if not dims or (len(dims) == 1 and dims[0] == 1 and others_vary):
        raise BundleError(
            f"input {tensor.name!r} of the ONNX model is one number for all rows ({tensor}), and a "
            "bundle's inputs have one for each row; make it a constant of the graph: export the "
            "model with the number set, or replace the input by an initializer"
        )
    first, rest = dims[0], dims[1:]
    names = [dim for dim in rest if isinstance(dim, str)]
    in_front = isinstance(first, str) and _TIME.fullmatch(first) and not _BATCH.fullmatch(first)
    is_behind = any(map(_BATCH.fullmatch, names))
    if in_front or (isinstance(first, int) and is_behind):
        raise BundleError(
            f"input {tensor.name!r} of the ONNX model has axis {first!r} in front ({tensor}), and "
            "rows come on the first axis; export the model with the batch there "
            "(batch_first=True, or a transpose in forward())"
        )
    if isinstance(first, int) and first != 1:
        raise BundleError(
            f"input {tensor.name!r} of the ONNX model takes {first} rows at a time ({tensor}), and "
            "batches have any number; export it with a dynamic first axis (torch.onnx.export(..., "
            "dynamic_shapes={...: {0: torch.export.Dim('batch')}}))"
        )


def _twin(tensor: GraphTensor, outputs: Mapping[str, GraphTensor]) -> str | None:
    """Return the output that is an input's next value, if there is one."""
    words = _split(tensor.name)
    if not words & _STATE_WORDS:
        return None
    for output in outputs.values():
        theirs = _split(output.name)
        same_rank = (
            tensor.dims is None or output.dims is None or len(tensor.dims) == len(output.dims)
        )
        if not same_rank or not theirs & _STATE_WORDS:
            continue
        stems = [_stem(words), _stem(theirs)]
        is_pair = "past" in words and "present" in theirs
        if stems[0] == stems[1] or is_pair:
            return output.name
    return None


def _split(name: str) -> frozenset[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return frozenset(
        re.sub(r"^([hc])[0n]?$", r"\1", word) for word in re.split(r"[^a-z0-9]+", spaced) if word
    )


def _stem(words: Collection[str]) -> frozenset[str]:
    return frozenset(words) - _AFFIXES
