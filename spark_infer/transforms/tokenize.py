"""Text to ids of tokens, by the tokenizer of a model of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tokenizers

from spark_infer.bundle import Input, Tokenize
from spark_infer.bundle.documents import cut
from spark_infer.errors import BundleError, SignatureError, printable
from spark_infer.tensors import Transformed, Transformer, arrow_dtype
from spark_infer.tensors.arrow.lists import as_lists

_NO_TEXT = "transform 'tokenize' needs text, and this is no UTF-8"
_TOO_LARGE = (
    "transform 'tokenize' gives this text an id that a tensor of int32 does not hold; dtype must "
    "be int64"
)
_PANIC = "PanicException"
"""What the library's own errors are called, which are no ``Exception``."""


def transformer(transform: Tokenize, item: Input) -> Transformer:
    """Return what tokenizes the values of an input. Each distinct one is tokenized once."""
    tokenizer = _load(transform)
    kind, most = arrow_dtype(item.dtype), int(np.iinfo(item.dtype).max)

    def run(values: pa.Array) -> Transformed:
        coded = pc.dictionary_encode(values.cast(pa.large_string()).cast(pa.large_binary()))
        # One by one: a batch would take the cores of other tasks.
        found = [_ids(tokenizer, text, most) for text in coded.dictionary.to_pylist()]
        lengths = np.array([len(ids) for ids, _ in found], np.int64)
        flat = np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in found)])
        known = np.array([reason is None for _, reason in found], np.bool_)
        words = as_lists(lengths, pa.array(flat.astype(item.dtype), kind), known)
        # Null where the value is null.
        reasons = pa.array([reason or "" for _, reason in found], pa.string()).take(coded.indices)
        failed = {
            reason: pc.fill_null(pc.equal(reasons, reason), False).to_numpy(zero_copy_only=False)
            for reason in {reason for _, reason in found if reason is not None}
        }
        return Transformed(words.take(coded.indices), failed)

    return run


def examples(transform: Tokenize, item: Input, numbers: Sequence[Any]) -> pa.Array:
    """Return texts of about as many tokens, of words that the tokenizer knows and does not."""
    words = sorted(_load(transform).get_vocab(with_added_tokens=False))
    words = [word for word in words if word.isalnum()][:997] or words[:997] or ["word"]
    return pa.array([" ".join(_some(words, row, len(array))) for row, array in enumerate(numbers)])


def _some(words: Sequence[str], row: int, count: int) -> Iterator[str]:
    for place in range(count):
        yield "unheard-of" if place % 7 == 5 else words[(31 * row + 17 * place) % len(words)]


def _load(transform: Tokenize) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_str(transform.document)
    except BaseException as error:
        check_of_library(error)
        raise BundleError(
            f"tokenizers {tokenizers.__version__} does not read the tokenizer ({cut(error)}); "
            "upgrade it, or save tokenizer.json with the version that is installed here"
        ) from None
    tokenizer.no_padding()
    if transform.max_length is None:
        tokenizer.no_truncation()
        return tokenizer
    marks = tokenizer.num_special_tokens_to_add(False)
    if transform.max_length <= marks:
        raise SignatureError(
            f"transform 'tokenize': max_length {transform.max_length} leaves no place for a text "
            f"beside the {marks} marks that the tokenizer adds; give at least {marks + 1}"
        )
    side = (tokenizer.truncation or {}).get("direction", "right")
    tokenizer.enable_truncation(transform.max_length, direction=side.lower())
    return tokenizer


def _ids(tokenizer: tokenizers.Tokenizer, text: bytes, most: int) -> tuple[Any, str | None]:
    """Return the ids of a text, or none and the reason why it has none."""
    nothing = np.zeros(0, np.int64)
    try:
        ids = np.array(tokenizer.encode(text.decode()).ids, np.int64)
        return (ids, None) if ids.max(initial=0) <= most else (nothing, _TOO_LARGE)
    except UnicodeDecodeError:
        return nothing, _NO_TEXT
    except BaseException as error:
        check_of_library(error)
        return (
            nothing,
            f"transform 'tokenize' does not take this text ({printable(str(error))[:200]})",
        )


def check_of_library(error: BaseException) -> None:
    """Raise an error again that is none of the library's, such as an interruption.

    Raises:
        BaseException: The error.
    """
    if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
        raise error
