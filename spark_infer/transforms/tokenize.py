"""Text to ids of tokens, by the tokenizer of a model of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tokenizers

from spark_infer.bundle import Input, Tokenize
from spark_infer.errors import BundleError
from spark_infer.tensors import Transformed, Transformer, arrow_dtype
from spark_infer.tensors.arrow.lists import as_lists

_NO_TEXT = "transform 'tokenize' needs text, and this is no UTF-8"


def transformer(transform: Tokenize, item: Input) -> Transformer:
    """Return what tokenizes the values of an input. Each distinct one is tokenized once."""
    tokenizer = _load(transform)
    kind = arrow_dtype(item.dtype)

    def run(values: pa.Array) -> Transformed:
        coded = pc.dictionary_encode(values.cast(pa.large_string()).cast(pa.large_binary()))
        # One by one: a batch would take the cores of other tasks.
        found = [_ids(tokenizer, text) for text in coded.dictionary.to_pylist()]
        lengths = np.array([len(ids) for ids in found], np.int64)
        flat = np.concatenate([np.zeros(0, np.int64), *found])
        known = np.array([_is_text(text) for text in coded.dictionary.to_pylist()], np.bool_)
        words = as_lists(lengths, pa.array(flat.astype(item.dtype), kind), known)
        failed = pc.is_null(pa.array(known, mask=~known).take(coded.indices))
        nulls = pc.is_null(values)
        wrong = pc.and_(failed, pc.invert(nulls)).to_numpy(zero_copy_only=False)
        return Transformed(words.take(coded.indices), {_NO_TEXT: wrong} if wrong.any() else {})

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
    except Exception as error:
        # It raises plain exceptions.
        raise BundleError(
            f"tokenizers {tokenizers.__version__} does not read the tokenizer ({error}); upgrade "
            "it, or save tokenizer.json with the version that is installed here"
        ) from None
    tokenizer.no_padding()
    if transform.max_length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(transform.max_length)
    return tokenizer


def _ids(tokenizer: tokenizers.Tokenizer, text: bytes) -> Any:
    try:
        return np.array(tokenizer.encode(text.decode()).ids, np.int64)
    except UnicodeDecodeError:
        return np.zeros(0, np.int64)


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
