"""The formats of models, in one table. A format is imported when it is asked for, not before."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from spark_infer._version import versions_of
from spark_infer.backends.backend import Backend
from spark_infer.backends.module_path import ModulePath
from spark_infer.backends.options import ModelOptions
from spark_infer.bundle import Bundle, Signature
from spark_infer.errors import BundleError, missing_library, nearest


class Original(Backend, Protocol):
    """A model as its user gave it, to compare a stored one with.

    Attributes:
        resolution: Relative distance of neighboring numbers in the least precise type of its
            weights.
        num_weights: How many numbers its weights and buffers hold.
    """

    resolution: float
    num_weights: int

    def check_unchanged(self) -> None:
        """Raise SignatureError where the model has changed its own weights or buffers."""
        ...

    def check_draws_nothing(self) -> None:
        """Raise SignatureError where the model has drawn random numbers."""
        ...

    def changed(self) -> list[str]:
        """Return the names of what the model holds and is not as it was before it ran."""
        ...

    def restore(self) -> None:
        """Make the model, and what its code keeps beside it, what they were before it ran."""
        ...

    def forget_weights(self) -> None:
        """Restore weights no more, for which they were copied."""
        ...

    def seeded(self) -> AbstractContextManager[None]:
        """Let the model draw the same random numbers each time."""
        ...


@dataclass(frozen=True)
class Prepared:
    """A model made ready to be written.

    Attributes:
        description: What the manifest says for the format, beside the files.
        write: Writes the model's files into a directory.
    """

    description: dict[str, Any]
    write: Callable[[Path], None]


class Format(ABC):
    """How models are stored, and loaded again.

    Attributes:
        hint: What to do where a stored model answers otherwise than its original.
    """

    hint: ClassVar[str]

    @abstractmethod
    def original(self, model: Any, signature: Signature) -> AbstractContextManager[Original]:
        """Return a model as a backend while the context lasts. The model is left as it was.

        Raises:
            BundleError: It is no model that the format can store.
            SignatureError: It does not take the signature's tensors.
        """

    @abstractmethod
    def prepare(
        self,
        model: Any,
        signature: Signature,
        *,
        module: str | None,
        arguments: Mapping[str, Any],
        one_row: bool,
        shown: Collection[tuple[int, ...]],
    ) -> Prepared:
        """Make a model ready to be written.

        Args:
            model: The model.
            signature: Its inputs and outputs.
            module: Import path of its class, for a format that stores no program.
            arguments: Keyword arguments of that class.
            one_row: Whether it is only ever run on one row at a time.
            shown: Number of rows, then padded length in each ragged input, of batches for which
                the stored model is compared with this one.

        Raises:
            BundleError: It cannot be stored in this format.
        """

    @abstractmethod
    def load(
        self,
        bundle: Bundle,
        options: ModelOptions,
        allow_modules: Sequence[str],
    ) -> Backend:
        """Load a bundle's model. Arguments and errors: see ``load_backend``."""

    def find_class(self, path: ModulePath, allow_modules: Sequence[str], *, where: str) -> type:
        """Import the class that a bundle names, for a format that stores no program.

        Raises:
            BundleError: It is no class of a model, or the format names none.
            RuntimeUnavailable: It, or what it imports, is not in this Python.
        """
        raise BundleError(f"{where}: it names '{path}', and its format runs no such code")


@dataclass(frozen=True)
class Entry:
    """What is known of a format before it is imported.

    Attributes:
        home: The module in which it is, as ``FORMAT``.
        packages: What pip calls each library that it imports and spark_infer does not bring.
    """

    home: str
    packages: Mapping[str, str]


_TORCH = {"torch": "torch"}

FORMATS = {
    "export": Entry("spark_infer.backends.torch.program.format", _TORCH),
    "module": Entry("spark_infer.backends.torch.module.format", _TORCH),
}
"""Each format by its name. The names are those that a manifest may hold (``ModelFormat``)."""


def find_format(name: str) -> Format:
    """Import a format.

    Raises:
        BundleError: There is none of that name.
        RuntimeUnavailable: A library that it needs is not in this Python.
    """
    entry = _find_entry(name)
    try:
        found = importlib.import_module(entry.home).FORMAT
    except ModuleNotFoundError as error:
        raise missing_library(error, entry.packages) from None
    assert isinstance(found, Format), entry
    return found


def built_with(name: str) -> dict[str, str]:
    """Return the versions of what a bundle of a format is saved with, by name."""
    return versions_of(*_find_entry(name).packages.values())


def _find_entry(name: str) -> Entry:
    if name not in FORMATS:
        raise BundleError(
            f"model format {name!r} is unknown{nearest(name, FORMATS)}; use one of {list(FORMATS)}"
        )
    return FORMATS[name]
