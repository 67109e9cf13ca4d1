"""The formats of models, in one table. A format is imported when it is asked for, not before."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from spark_infer._version import versions_of
from spark_infer.backends.backend import Backend
from spark_infer.backends.module_path import ModulePath
from spark_infer.backends.options import ModelOptions
from spark_infer.backends.original import Original
from spark_infer.bundle import Bundle, ModelFormat, Output, Signature
from spark_infer.errors import BundleError, SignatureError, missing_library, nearest


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a user says of a model that is to be saved.

    Attributes:
        signature: Its inputs and outputs; None where they are to be read from the model.
        inputs: Columns of each input by the model's name for it: a list of columns that are packed,
            the name of an array column, or an input.
        columns: Columns of a model with one input.
        outputs: What it predicts, of a model that says itself what it could.
        task: What a model of many uses is for.
        sample: Rows with its columns.
        row_independent: Whether rows may run together.
        guesses: Whether columns that nobody named get names, for a draft.
    """

    signature: Signature | None = None
    inputs: Mapping[str, Any] | None = None
    columns: Sequence[str] | None = None
    outputs: Sequence[Output] | None = None
    task: str | None = None
    sample: pa.RecordBatch | pa.Table | None = None
    row_independent: bool = True
    guesses: bool = False

    def check_only_signature(self) -> Signature:
        """Return the signature, for a model of which nothing is read.

        Raises:
            SignatureError: There is none.
            BundleError: There is what only other kinds of models need.
        """
        for option in ("inputs", "columns", "outputs", "task"):
            if getattr(self, option) is not None:
                raise BundleError(
                    f"{option} is for models that say themselves what they take, and a torch "
                    "module does not; pass signature=si.Signature(inputs=[...], outputs=[...])"
                )
        if self.signature is None:
            raise SignatureError(
                "a torch module does not say what it takes and returns; pass "
                "signature=si.Signature(inputs=[...], outputs=[...])"
            )
        return self.signature


@dataclass(frozen=True)
class Taken:
    """A model as its format takes it.

    Attributes:
        model: The model, for the format's other methods.
        signature: Its inputs and outputs.
        one_row: Whether it is known to run one row at a time only.
        synthetic: Rows that tell more of it than random ones.
    """

    model: Any
    signature: Signature
    one_row: bool = False
    synthetic: pa.RecordBatch | None = None


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
        name: What a manifest calls it.
        hint: What to do where a stored model answers otherwise than its original.
    """

    name: ClassVar[ModelFormat]
    hint: ClassVar[str]

    @abstractmethod
    def take(self, model: Any, said: Said) -> Taken:
        """Read a model that a user gave.

        Raises:
            BundleError: It is no model that the format can store.
            SignatureError: What was said does not fit the model, or does not suffice.
        """

    @abstractmethod
    def original(self, model: Any, signature: Signature) -> AbstractContextManager[Original]:
        """Return a model as a backend while the context lasts. The model is left as it was.

        Args:
            model: As ``take`` returned it.
            signature: Its inputs and outputs.

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
            model: As ``take`` returned it.
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
        classes: Classes of its models, as ``module.name``.
        suffixes: Endings of files that hold its models.
    """

    home: str
    packages: Mapping[str, str]
    classes: Collection[str] = ()
    suffixes: Collection[str] = ()


_TORCH = {"torch": "torch"}

FORMATS = {
    "export": Entry(
        "spark_infer.backends.torch.program.format", _TORCH, ["torch.nn.modules.module.Module"]
    ),
    "module": Entry("spark_infer.backends.torch.module.format", _TORCH),
    "onnx": Entry(
        "spark_infer.backends.onnx.format",
        {"onnx": "onnx", "onnxruntime": "onnxruntime"},
        ["onnx.onnx_ml_pb2.ModelProto"],
        [".onnx"],
    ),
    "xgboost": Entry(
        "spark_infer.backends.boosters.xgb.format",
        {"xgboost": "xgboost"},
        ["xgboost.core.Booster", "xgboost.sklearn.XGBModel"],
        [".json", ".ubj"],
    ),
    "lightgbm": Entry(
        "spark_infer.backends.boosters.lgbm.format",
        {"lightgbm": "lightgbm"},
        ["lightgbm.basic.Booster", "lightgbm.sklearn.LGBMModel"],
        [".txt"],
    ),
}
"""Each format by its name. The names are those that a manifest may hold (``ModelFormat``)."""

CONVERTED = {
    "sklearn": Entry(
        "spark_infer.backends.sklearn.format",
        {
            "sklearn": "scikit-learn",
            "skl2onnx": "skl2onnx",
            "onnx": "onnx",
            "onnxruntime": "onnxruntime",
        },
        ["sklearn.base.BaseEstimator"],
    ),
    "transformers": Entry(
        "spark_infer.backends.transformers.format",
        _TORCH | {"transformers": "transformers", "tokenizers": "tokenizers"},
    ),
}
"""Kinds of models that are stored in one of these formats, after they were converted."""


def find_format(name: str) -> Format:
    """Import a format.

    Raises:
        BundleError: There is none of that name.
        RuntimeUnavailable: A library that it needs is not in this Python.
    """
    entry = find_entry(name)
    try:
        found = importlib.import_module(entry.home).FORMAT
    except ModuleNotFoundError as error:
        raise missing_library(error, entry.packages) from None
    assert isinstance(found, Format), entry
    return found


def built_with(name: str) -> dict[str, str]:
    """Return the versions of what a bundle of a format is saved with, by name."""
    return versions_of(*find_entry(name).packages.values())


def find_entry(name: str) -> Entry:
    """Return what is known of a format.

    Raises:
        BundleError: There is none of that name.
    """
    known = FORMATS | CONVERTED
    if name not in known:
        raise BundleError(
            f"model format {name!r} is unknown{nearest(name, known)}; use one of {list(FORMATS)}"
        )
    return known[name]
