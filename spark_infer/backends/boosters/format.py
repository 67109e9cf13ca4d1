"""What the formats of boosters have in common."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from spark_infer.backends.backend import Backend
from spark_infer.backends.boosters.backend import Booster, BoosterBackend
from spark_infer.backends.boosters.labels import check_numbers
from spark_infer.backends.boosters.rows import rows_at
from spark_infer.backends.boosters.task import LABEL
from spark_infer.backends.formats import Format, Prepared, Said, Taken
from spark_infer.backends.options import ModelOptions
from spark_infer.backends.original import Original, Stateless
from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.documents import shown
from spark_infer.bundle.files.folder import read_file
from spark_infer.bundle.files.given import read_given
from spark_infer.errors import (
    BundleError,
    ConfigError,
    RuntimeUnavailable,
    SignatureError,
    SparkInferError,
    nearest,
)

MAX_BYTES = 2**31
"""Most bytes of a stored booster."""


@dataclass(frozen=True)
class Given:
    """A booster that a user gave.

    Attributes:
        booster: What predicts as its library does.
        content: What is stored of it.
        labels: Names of its classes, if they have some.
    """

    booster: Booster
    content: bytes
    labels: Sequence[str] | None = None


def content_of(model: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a user's file.

    Raises:
        BundleError: It cannot be read, or is no plain file.
    """
    try:
        return read_given(Path(model), MAX_BYTES)
    except OSError as error:
        raise BundleError(f"the model {model} cannot be read: {error.strerror}") from None


class _Original(Stateless, BoosterBackend):
    """A booster that goes on living elsewhere."""


class BoosterFormat(Format):
    """A format whose models are boosters of one library, in that library's own text.

    Attributes:
        library: What its users call the library.
        file: Name of the file in a bundle.
    """

    library: ClassVar[str]
    file: ClassVar[str]
    hint = "save it with the version of the library that trained it"

    @abstractmethod
    def give(self, model: Any) -> Given:
        """Return what is stored of a booster, its wrapper for scikit-learn, or its file.

        Raises:
            BundleError: It cannot be stored.
        """

    @abstractmethod
    def booster(self, content: bytes, threads: int | None) -> Booster:
        """Return the booster of what was stored.

        Raises:
            ValueError: It is damaged.
            RuntimeUnavailable: A newer version of the library wrote it.
        """

    def take(self, model: Any, said: Said) -> Taken:
        """Read a booster: it says itself what it takes and predicts."""
        for option in ("inputs", "task"):
            if getattr(said, option) is not None:
                raise BundleError(
                    f"{option} is for other kinds of models; a booster takes columns=[...], "
                    "outputs=[...] or a signature"
                )
        try:
            given = self.give(model)
        except SparkInferError:
            raise
        except Exception as error:
            # The library, and a file that is none of it, raise what they like.
            raise BundleError(
                f"the model {shown(model)} cannot be read as a booster of {self.library}: "
                f"{_first_line(error)}"
            ) from None
        booster = given.booster
        features = booster.features.placed(said.sample, said.signature)
        if said.signature is None:
            if said.sample is not None and said.columns is None:
                _check_sample(booster, said.sample.column_names)
            signature = Signature(
                inputs=features.inputs(said.columns, booster.dtype),
                outputs=(
                    booster.task.outputs(given.labels) if said.outputs is None else said.outputs
                ),
            )
        elif said.columns is not None or said.outputs is not None:
            raise BundleError("pass columns and outputs, or a signature, not both")
        else:
            signature = said.signature
        features.check(signature)
        labels = [o for o in signature.outputs if booster.task.tensor(o) == LABEL]
        check_numbers(model, labels)
        return Taken(given, signature, synthetic=rows_at(booster.thresholds(), signature))

    def original(self, model: Given, signature: Signature) -> AbstractContextManager[Original]:
        """Return the booster as a backend: its library's own prediction."""
        return nullcontext(_Original(model.booster, signature))

    def prepare(
        self,
        model: Given,
        signature: Signature,
        *,
        module: str | None,
        arguments: Mapping[str, Any],
        one_row: bool,
        shown: Collection[tuple[int, ...]],
    ) -> Prepared:
        """Return what writes the booster's text."""

        def write(root: Path) -> None:
            (root / self.file).write_bytes(model.content)

        return Prepared({}, write)

    def load(self, bundle: Bundle, options: ModelOptions, allow_modules: Sequence[str]) -> Backend:
        """Check the booster's text and let the library read it."""
        if options.device != "cpu":
            raise ConfigError(
                f"device {options.device!r}: boosters run on the processor; use device 'cpu'"
            )
        if options.precision != "float32":
            raise ConfigError(
                f"precision {options.precision!r}: a booster has one precision, its own; leave "
                "precision out"
            )
        content = read_file(bundle.artifact_path, self.file, MAX_BYTES)
        try:
            booster = self.booster(content, options.threads)
            booster.features.check(bundle.signature)
            return BoosterBackend(booster, bundle.signature)
        except RuntimeUnavailable as error:
            raise RuntimeUnavailable(f"bundle {bundle.path}: {error}") from None
        except Exception as error:
            # Each library has errors of its own.
            raise BundleError(
                f"bundle {bundle.path}: {self.file} is damaged or was written by another version "
                f"of {self.library} ({_first_line(error)}); save the bundle again"
            ) from None


def newer(library: str, package: str, wrote: str, here: str) -> RuntimeUnavailable:
    """Return the error for a booster that a newer version of its library wrote."""
    return RuntimeUnavailable(
        f"the booster was written by {library} {wrote}, and this Python has {library} {here}, "
        f"which may read it wrongly; install a version that is as new (pip install "
        f"'{package}>={wrote}')"
    )


def _check_sample(booster: Booster, columns: Sequence[str]) -> None:
    for name in booster.features.names or ():
        if name not in columns:
            raise SignatureError(
                f"the booster's feature {name!r} is no column of the sample"
                f"{nearest(name, columns)}; give the sample the booster's features as columns"
            )


def _first_line(error: Exception) -> str:
    """Return what an error says, without the stack that some libraries add."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
