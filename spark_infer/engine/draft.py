"""The signature that a model itself tells, as code to paste."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from spark_infer.backends.formats import Said, find_format
from spark_infer.backends.recognize import recognize
from spark_infer.bundle import Column, Input, Signature


def read_signature(
    model: Any,
    *,
    inputs: Mapping[str, Any] | None = None,
    columns: Sequence[Any] | None = None,
    task: str | None = None,
) -> Signature:
    """Read a model's signature, and print it as Python code to paste and change.

    Columns that are not named get names after the model's inputs.

    Args:
        model: A model that says what it takes, as for ``save_bundle``.
        inputs: Columns of each input, by the model's name for it.
        columns: Columns of a model with one input.
        task: What a model of Hugging Face is for.

    Returns:
        The signature.

    Raises:
        BundleError: The model cannot be stored.
        SignatureError: It does not say what it takes, or what was given does not fit.
    """
    said = Said(inputs=inputs, columns=columns, task=task, guesses=True)
    signature = find_format(recognize(model)).take(model, said).signature
    sys.stdout.write(f"signature = {as_code(signature)}\n")
    return signature


def as_code(signature: Signature) -> str:
    """Return a signature as the code that makes it."""
    lines = ["si.Signature("]
    for what, items in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        lines += [f"    {what}=[", *(f"        {_code(item)}," for item in items), "    ],"]
    return "\n".join([*lines, ")"])


def _code(value: Any) -> str:
    if isinstance(value, Column) and value == Column(value.name):
        return repr(value.name)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        arguments = [
            _code(given) if field.name == "name" else f"{field.name}={_code(given)}"
            for field in dataclasses.fields(value)
            if _is_told(value, field, given := getattr(value, field.name))
        ]
        return f"si.{type(value).__name__}({', '.join(arguments)})"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_code, value))}]"
    return repr(value)


def _is_told(owner: Any, field: dataclasses.Field[Any], value: Any) -> bool:
    """Return whether a field has to be written: it is not what it would be anyway."""
    if field.name == "max_length":
        return bool(value != owner.pad_to)
    if field.name == "unknown_id":
        return value is not None and value != len(owner.vocabulary)
    if field.name == "dtype" and isinstance(owner, Input):
        return bool(value != ("float32" if owner.vocabulary is None else "int64"))
    is_default = value == field.default or (value == () and field.default is not None)
    return not is_default
