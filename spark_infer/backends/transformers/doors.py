"""Keys of a configuration by which transformers would run or fetch code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError

_CODE = (
    "names code of its own ({}), which is never run; use a model whose class is in transformers, "
    "or save the module yourself with format='module'"
)
_NATIVE = (
    "names native code ({}), which transformers would fetch and load; remove the key: the "
    "operations of torch that are taken then give the same numbers"
)
_QUANTIZED = (
    "says that the weights are quantized ({}), which needs a library of its own to read; save the "
    "model that it was made from, or model.dequantize().save_pretrained(directory)"
)
_ELSEWHERE = (
    "takes weights from another place ({}); save the whole model with "
    "model.save_pretrained(directory)"
)
_REFUSED = {
    **dict.fromkeys(("auto_map", "custom_pipelines", "custom_generate"), _CODE),
    **dict.fromkeys(("kernel_config", "use_kernels", "allow_all_kernels"), _NATIVE),
    **dict.fromkeys(("quantization_config", "compression_config"), _QUANTIZED),
    **dict.fromkeys(
        ("transformers_weights", "use_pretrained_backbone", "backbone", "distributed_config"),
        _ELSEWHERE,
    ),
}
_IMPLEMENTATIONS = ("attn_implementation", "experts_implementation")
_OWN = (None, "eager", "sdpa", "batched_mm", "grouped_mm")
"""Implementations that are in transformers and torch."""
_NAMES = ("label2id", "id2label")
"""Their keys are names of the model's maker."""


def check_keys(document: Mapping[str, Any], path: Path) -> None:
    """Look for keys that name code, at any depth.

    Args:
        document: A configuration.
        path: Its file, for messages.

    Raises:
        BundleError: There is one that says something.
    """
    for key, value in _pairs(document):
        if key in _REFUSED and value:
            raise BundleError(f"{path.parent}: {path.name} " + _REFUSED[key].format(key))
        if key.strip("_").removesuffix("_internal") not in _IMPLEMENTATIONS:
            continue
        # One for each part of the model, or one for all.
        for name in value.values() if isinstance(value, dict) else [value]:
            if not any(name is own or name == own for own in _OWN):
                said = f"{key}: {shown(name)}"
                raise BundleError(f"{path.parent}: {path.name} " + _NATIVE.format(said))


def _pairs(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    rest: list[Any] = [document]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            yield from value.items()
            rest += [inner for key, inner in value.items() if key not in _NAMES]
        elif isinstance(value, list):
            rest += value
