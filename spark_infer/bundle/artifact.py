"""One stored form of a bundle's model, as the manifest describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spark_infer.bundle.documents import check_fields, shown
from spark_infer.errors import BundleError

BASE = "base"
"""The variant that each bundle has: the model as it was saved. Others are made of it."""

ModelFormat = Literal["export", "module", "onnx", "xgboost", "lightgbm"]
"""How a model is stored: one name for each entry of ``backends.formats.FORMATS``."""

_DESCRIPTIONS: dict[str, tuple[dict[str, type], str]] = {
    "module": (
        {"module": str, "arguments": dict},
        "a module (text), its arguments (an object) and nothing else",
    )
}
"""What the manifest says of the model, beside its files: keys and kinds, and the same in words."""


def artifact_folder(variant: str) -> str:
    """Return the path inside a bundle of a variant's files."""
    return f"artifacts/{variant}"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """How one variant of the model is stored. Its files lie in ``artifacts/<variant>/``.

    Attributes:
        format: How it is stored.
        model: What the format's backend needs to rebuild it, beside the files.
        certificate: What was measured of a variant beside the base; None for the base itself.

    Raises:
        BundleError: A value is of another type, or the model is not described as its format needs.
    """

    format: ModelFormat
    model: Mapping[str, Any] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_fields(self, where="manifest: artifact", error=BundleError)
        keys, words = _DESCRIPTIONS.get(self.format, ({}, "empty"))
        if {key: type(value) for key, value in self.model.items()} != keys:
            raise BundleError(
                f"manifest: model of format {self.format!r} must be {words}, got "
                f"{shown(dict(self.model))}"
            )
