"""What the inputs of a graph are for, beside those that columns feed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from spark_infer.backends.onnx.model.types import GraphTensor
from spark_infer.errors import BundleError, SignatureError

_BATCH = re.compile(r"(?i)(.*batch.*|bs?|n|rows|none|unk.*)")
_TIME = re.compile(r"(?i)(.*(seq|time|length|frames|steps|samples).*|t|l|len)")
_LIKE_A_MASK = re.compile(r"(?i).*mask.*")
_MASKS = frozenset(
    {
        "mask",
        "input_mask",
        "attention_mask",
        "input_attention_mask",
        "encoder_attention_mask",
        "decoder_attention_mask",
    }
)
"""Names under which exporters and Hugging Face have masks that are 1 at what is real.

A ``key_padding_mask`` of torch is the opposite, and other names tell nothing.
"""
_SERVED = re.compile(r"^serving_default_|:0$")
_OPPOSITE = frozenset({"src", "tgt", "memory", "key", "pad", "padding", "ignore", "attn"})
"""What torch calls masks of that are True at what is left out."""
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


def is_mask(tensor: GraphTensor, inputs: Collection[str]) -> bool:
    """Return whether an input says by its name and type that it is 1 where values are real.

    Args:
        tensor: The input.
        inputs: Names of all inputs: a mask may be called after one, ``words_mask``.
    """
    if not _looks_like_a_mask(tensor):
        return False
    name, *others = (_SERVED.sub("", one).lower() for one in (tensor.name, *inputs))
    of = name.removesuffix("_mask")
    return name in _MASKS or (of != name and of in others and of not in _OPPOSITE)


def check_mask(tensor: GraphTensor) -> None:
    """Refuse an input that is a mask by its name, where that does not say of what.

    Raises:
        SignatureError: It may as well be 1 at padding.
    """
    if _looks_like_a_mask(tensor):
        assert tensor.dims is not None
        length = f"pad_to={tensor.dims[1]}, " if isinstance(tensor.dims[1], int) else ""
        raise SignatureError(
            f"input {tensor.name!r} of the ONNX model ({tensor}) is a mask by its name, which does "
            "not say whether it is 1 where values are real, as masks are fed here, or 1 at "
            "padding; if at padding, export the model with its opposite (~mask in forward()), and "
            "if where values are real, call it attention_mask, or give the input that it belongs "
            f"to as inputs={{NAME: si.RaggedInput(NAME, column=..., {length}mask=si.Mask("
            f"tensor={tensor.name!r}, dtype={tensor.signature_dtype!r}))}}"
        )


def _looks_like_a_mask(tensor: GraphTensor) -> bool:
    has_lengths = tensor.dims is not None and len(tensor.dims) == 2
    return has_lengths and bool(_LIKE_A_MASK.fullmatch(tensor.name))


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
