"""The manifest: what a bundle says about itself, as versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from spark_infer.bundle.features import check_features
from spark_infer.bundle.signature import Signature
from spark_infer.errors import BundleError, SignatureError

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1

ModelFormat = Literal["export", "module"]
MODEL_FORMATS: tuple[ModelFormat, ...] = ("export", "module")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says about itself.

    Attributes:
        name: Human name of the bundle.
        model_format: How the model is stored.
        signature: Inputs and outputs.
        features: Spark SQL expression of each derived column, over the source columns.
        stochastic: Whether equal rows may get different predictions, which are then never shared.
        model: What the format's backend needs to rebuild the model.
        description: One paragraph for people.
        metadata: Free JSON data of the author.
        built_with: Versions of the libraries that saved the bundle.
    """

    name: str
    model_format: ModelFormat
    signature: Signature
    features: Mapping[str, str] = field(default_factory=dict)
    stochastic: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    built_with: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON data."""
        return {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "description": self.description,
            "model_format": self.model_format,
            "model": dict(self.model),
            "stochastic": self.stochastic,
            "signature": self.signature.to_json(),
            "features": dict(self.features),
            "metadata": dict(self.metadata),
            "built_with": dict(self.built_with),
        }

    def write(self, root: Path) -> None:
        """Write the manifest and the signature's vocabularies under ``root``.

        Raises:
            BundleError: The metadata is no JSON data.
        """
        try:
            text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BundleError(
                f"bundle {self.name!r}: metadata must be JSON data: {error}"
            ) from None
        (root / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
        for name, words in self.signature.vocabularies.items():
            path = root / "vocabularies" / f"{name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """Read the manifest under ``root``.

        Raises:
            BundleError: It cannot be read, a newer spark_infer wrote it, or a feature is more than
                a computation from columns.
        """
        try:
            data = json.loads((root / MANIFEST_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"bundle {root}: {MANIFEST_FILE} cannot be read: {error}") from None
        version = data.get("format_version") if isinstance(data, dict) else None
        if version != FORMAT_VERSION:
            raise BundleError(
                f"bundle {root}: format version {version!r} is not known to this spark_infer, "
                f"which reads version {FORMAT_VERSION}; upgrade spark_infer or save the bundle "
                "again"
            )
        try:
            manifest = cls._from_json(data, root)
        except (KeyError, TypeError, OSError, ValueError, SignatureError) as error:
            raise BundleError(
                f"bundle {root}: {MANIFEST_FILE} is damaged ({type(error).__name__}: {error}); "
                "save the bundle again"
            ) from error
        try:
            check_features(manifest.features)
        except SignatureError as error:
            raise BundleError(f"bundle {root} is refused: {error}") from None
        return manifest

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], root: Path) -> Manifest:
        if data["model_format"] not in MODEL_FORMATS:
            raise BundleError(
                f"bundle {root}: model format {data['model_format']!r} is not known; "
                f"known: {list(MODEL_FORMATS)}"
            )
        vocabularies = {
            item["name"]: json.loads(_inside(root, item["vocabulary"]).read_text(encoding="utf-8"))
            for item in data["signature"]["inputs"]
            if "vocabulary" in item
        }
        return cls(
            name=data["name"],
            model_format=cast(ModelFormat, data["model_format"]),
            signature=Signature.from_json(data["signature"], vocabularies),
            features=data["features"],
            stochastic=data["stochastic"],
            model=data["model"],
            description=data["description"],
            metadata=data["metadata"],
            built_with=data["built_with"],
        )


def _inside(root: Path, name: str) -> Path:
    """Return the path of a bundle's file; a name that leads out of the bundle is a ValueError."""
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{name!r} lies outside the bundle")
    return path
