"""The manifest: what a bundle says about itself, as versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spark_infer.bundle.artifact import BASE, Artifact
from spark_infer.bundle.documents import check_fields, parse, shown, to_json, values_of
from spark_infer.bundle.features import check_features
from spark_infer.bundle.files.examples import EXAMPLES_FILE, MAX_EXAMPLES_BYTES
from spark_infer.bundle.files.folder import read_file
from spark_infer.bundle.inputs import vocabulary_file
from spark_infer.bundle.profile import MAX_PROFILE_BYTES, PROFILE_FILE
from spark_infer.bundle.signature import Signature
from spark_infer.bundle.source_types import check_source_types
from spark_infer.errors import BundleError, SignatureError, nearest

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 3

MAX_MANIFEST_BYTES = 2**24
MAX_VOCABULARY_BYTES = 2**28


def max_bytes(name: str) -> int | None:
    """Return how large a bundle's file may be, None for any: some are read whole into memory."""
    if name == MANIFEST_FILE:
        return MAX_MANIFEST_BYTES
    if name == EXAMPLES_FILE:
        return MAX_EXAMPLES_BYTES
    if name == PROFILE_FILE:
        return MAX_PROFILE_BYTES
    return MAX_VOCABULARY_BYTES if name.startswith("vocabularies/") else None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says about itself.

    Attributes:
        name: Human name of the bundle.
        signature: Inputs and outputs.
        artifacts: How the model is stored, by variant; ``base`` is the one that was saved.
        features: Spark SQL expression of each derived column, over the source columns.
        source_types: Spark's type of source columns, by name, where the features need it.
        stochastic: Whether equal rows may get different predictions, which are then never shared.
        row_independent: Whether a row's outputs do not depend on the rows beside it or on padding.
            Where they may, rows run one at a time, and predictions are never shared.
        description: One paragraph for people.
        metadata: Free JSON data of the author.
        built_with: Versions of the libraries that saved the bundle.

    Raises:
        BundleError: A value is of another type, or there is no base.
        SignatureError: A feature is no column of the signature, or a source column's type is none
            that Spark knows.
    """

    name: str
    signature: Signature
    artifacts: Mapping[str, Artifact]
    features: Mapping[str, str] = field(default_factory=dict)
    source_types: Mapping[str, str] = field(default_factory=dict)
    stochastic: bool = False
    row_independent: bool = True
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    built_with: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self, where="manifest", error=BundleError)
        if not self.name or not self.name.isprintable():
            raise BundleError(
                f"manifest: name must be printable characters on one line, got {shown(self.name)}"
            )
        columns = dict.fromkeys(self.signature.column_names)
        for feature in self.features:
            if feature not in columns:
                raise SignatureError(
                    f"feature {shown(feature)} is no column of the signature"
                    f"{nearest(feature[:100], columns)}"
                )
        if self.source_types and not self.features:
            raise SignatureError(
                "source_types are those of columns that features read, and there are no features"
            )
        check_source_types(self.source_types, self.features.values())
        if BASE not in self.artifacts or not all(map(str.isidentifier, self.artifacts)):
            raise BundleError(
                f"manifest: artifacts must be variants of the model, {BASE!r} among them, got "
                f"{shown(list(self.artifacts))}"
            )

    @property
    def base(self) -> Artifact:
        """How the model is stored as it was saved."""
        return self.artifacts[BASE]

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON data."""
        data = {"format_version": FORMAT_VERSION, **to_json(self)}
        artifacts = {variant: to_json(artifact) for variant, artifact in self.artifacts.items()}
        return data | {"signature": self.signature.to_json(), "artifacts": artifacts}

    def write(self, root: Path) -> None:
        """Write the manifest and the signature's vocabularies under ``root``.

        Raises:
            BundleError: The metadata is no JSON data, or a file is too large to be read.
        """
        try:
            text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
            files = {MANIFEST_FILE: f"{text}\n".encode()}
            for name, words in self.signature.vocabularies.items():
                files[vocabulary_file(name)] = json.dumps(words, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise BundleError(
                f"bundle {self.name!r}: metadata must be JSON data, and names, labels and "
                f"vocabularies text: {error}"
            ) from None
        for file, content in files.items():
            limit = max_bytes(file)
            if limit is not None and len(content) > limit:
                raise BundleError(
                    f"bundle {self.name!r}: {file} would have {len(content):,} bytes, and at most "
                    f"{limit:,} are read again; store large data as files of the model"
                )
            path = root / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """Read the manifest under ``root``: exactly what ``write`` writes.

        Raises:
            BundleError: It cannot be read, is damaged, another version of spark_infer wrote it, or
                a feature is more than a computation from columns.
        """
        data = _document(root, MANIFEST_FILE, MAX_MANIFEST_BYTES)
        _check_version(data, root)
        try:
            manifest = cls._from_json(data, root)
        except (BundleError, SignatureError) as error:
            raise BundleError(
                f"bundle {root}: {MANIFEST_FILE} is damaged ({_cut(str(error))}); "
                "save the bundle again"
            ) from None
        if _sorted(manifest.to_json()) != _sorted(data):
            # Such as a null where a default was written, or a column that is a bare name.
            raise BundleError(
                f"bundle {root}: {MANIFEST_FILE} is damaged (it is not what save_bundle writes of "
                "this signature); save the bundle again"
            )
        try:
            check_features(manifest.features)
        except SignatureError as error:
            raise BundleError(f"bundle {root} is refused: {error}") from None
        return manifest

    @classmethod
    def _from_json(cls, data: object, root: Path) -> Manifest:
        values = values_of(cls, data, where="manifest", besides="format_version")

        def read_vocabulary(name: str) -> object:
            return _document(root, vocabulary_file(name), MAX_VOCABULARY_BYTES)

        signature = Signature.from_json(values["signature"], read_vocabulary)
        artifacts = _artifacts_from_json(values["artifacts"])
        return cls(**{**values, "signature": signature, "artifacts": artifacts})


def _artifacts_from_json(data: object) -> dict[str, Artifact]:
    if not isinstance(data, dict):
        raise BundleError(f"manifest: artifacts must be an object, got {shown(data)}")
    return {
        variant: Artifact(**values_of(Artifact, item, where=f"artifacts[{shown(variant)}]"))
        for variant, item in data.items()
    }


def _document(root: Path, name: str, max_bytes: int) -> Any:
    content = read_file(root, name, max_bytes)
    try:
        return parse(content)
    except ValueError as error:
        raise BundleError(f"bundle {root}: {name} cannot be read: {error}") from None


def _check_version(data: object, root: Path) -> None:
    version = data.get("format_version") if isinstance(data, dict) else None
    if type(version) is not int or version not in range(1, FORMAT_VERSION + 1):
        raise BundleError(
            f"bundle {root}: format version {shown(version)} is not known to this spark_infer, "
            f"which reads version {FORMAT_VERSION}; upgrade spark_infer or save the bundle again"
        )
    if version < FORMAT_VERSION:
        raise BundleError(
            f"bundle {root}: an earlier spark_infer wrote it (format version {version}, this one "
            f"reads version {FORMAT_VERSION}); save it again with save_bundle"
        )


def _cut(message: str) -> str:
    """Keep a message readable that quotes a damaged file."""
    return message if len(message) <= 500 else f"{message[:500]}..."


def _sorted(data: Any) -> str:
    return json.dumps(data, sort_keys=True)
