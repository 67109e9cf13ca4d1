"""The tokenizer of a directory, held to what transformers makes of the same files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import transformers

from spark_infer.backends.failures.fault import sentence
from spark_infer.backends.transformers.directory import Directory
from spark_infer.bundle import RaggedInput, Tokenize
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError
from spark_infer.transforms import find_transformer
from spark_infer.transforms.tokenize import check_of_library

_NO_LIMIT = 2**31
"""Where nothing says how long a text may be, transformers says 10^30."""
_TEXTS = (
    *("", " ", "the cat sat on a mat", "The CAT Sat ON a Mat", "  two  spaces\tand\na line  "),
    *(
        "cafe\u0301 na\u00efve \u00dcBER \u0130stanbul stra\u00dfe \u01c5",
        "don't, can't: (it's) 3.5%!?",
        "a-b_c/d@e.f",
    ),
    *(
        "\u65e5\u672c\u8a9e \u4e2d\u6587 \ud55c\uad6d\uc5b4",
        "\u0431\u044b\u0441\u0442\u0440\u043e \u0645\u0631\u062d\u0628\u0627 \u05e9",
        "\U0001f600 \u2014 \u201cquote\u201d \ufb01 \u00bd",
    ),
    *("\u0000 \ufffd \u200b\u00a0x", "unheard-of qzxwvj 1234567890", "a" * 300),
)
_LINE = "The Caf\u00e9, on A mat: 1 cat sat; dog ran! "


def load(directory: Directory) -> Any:
    """Return the tokenizer that transformers makes of a directory.

    Raises:
        BundleError: It makes none.
    """
    try:
        return transformers.AutoTokenizer.from_pretrained(
            directory.path, local_files_only=True, trust_remote_code=False
        )
    except BaseException as error:
        # It raises what it likes, and the library below it what is no Exception.
        check_of_library(error)
        raise BundleError(
            f"{directory.path}: transformers {transformers.__version__} does not load its "
            f"tokenizer ({sentence(error)}); correct tokenizer.json or "
            "tokenizer_config.json"
        ) from None


def most_tokens(path: Path, theirs: Any) -> int | None:
    """Return the most tokens that a tokenizer says it makes; None where it does not say.

    Raises:
        BundleError: What it says is no number.
    """
    told = theirs.model_max_length
    if not isinstance(told, (int, float)) or isinstance(told, bool) or told < 1:
        raise BundleError(
            f"{path}: model_max_length in tokenizer_config.json must be a whole number of at least "
            f"1, got {shown(told)}"
        )
    return int(told) if told < _NO_LIMIT else None


def transform(directory: Directory, theirs: Any, max_length: int | None) -> Tokenize:
    """Return the transform of a directory's ``tokenizer.json`` that cuts where transformers does.

    Args:
        directory: The directory.
        theirs: What ``load`` returned of it.
        max_length: The most tokens of a text; None cuts none.

    Raises:
        BundleError: It makes other tokens of a text than transformers does.
    """
    if theirs.split_special_tokens:
        raise BundleError(
            f"{directory.path}: split_special_tokens in tokenizer_config.json is true, which no "
            "tokenizer.json holds; remove it where special tokens in a text may be what they are"
        )
    document = json.loads(directory.tokenizer)
    side = str(theirs.truncation_side)
    if side != "right" or document.get("truncation"):
        document["truncation"] = {
            "direction": side.capitalize(),
            "max_length": max_length or 1,
            "strategy": "LongestFirst",
            "stride": 0,
        }
    made = Tokenize(document=json.dumps(document, ensure_ascii=False), max_length=max_length)
    texts = list(dict.fromkeys(_texts(theirs, max_length)))
    item = RaggedInput("ids", column="text", dtype="int64", transform=made)
    ours = find_transformer(item)(pa.array(texts, pa.string())).values.to_pylist()
    for text, ids in zip(texts, ours, strict=True):
        _compare(directory.path, text, ids, theirs, max_length)
    if all(ids == ours[0] for ids in ours):
        raise BundleError(
            f"{directory.path}: tokenizer.json makes the same tokens of every text, "
            f"{shown(ours[0])}; its vocabulary or its normalizer is not that of the model"
        )
    return made


def _texts(theirs: Any, max_length: int | None) -> Iterator[str]:
    """Yield texts on which tokenizers are known to differ."""
    yield from _TEXTS
    words = sorted(map(str, theirs.get_vocab()))
    some = words[:: max(1, len(words) // 50)]
    yield " ".join(some)
    yield " ".join(some).upper()
    marks = list(map(str, theirs.all_special_tokens))
    marks += [str(token) for token in theirs.added_tokens_decoder.values()][:200]
    for mark in dict.fromkeys(marks):
        yield from (mark, f"the {mark} cat", f"the{mark}cat", mark.upper(), mark.lower())
    line = " ".join(word for word in some if word.isalnum())
    # Of a text beyond the limit another side may be kept.
    count = 10 if max_length is None else min(max_length, 20_000) // 8 + 2
    yield _LINE * count
    yield f"{line} " * (count // 20 + 2)


def _compare(
    path: Path, text: str, ids: list[int] | None, theirs: Any, max_length: int | None
) -> None:
    """Raise BundleError unless transformers gives the same tokens of a text."""
    try:
        made = theirs(text, truncation=max_length is not None, max_length=max_length)
    except BaseException as error:
        # It raises what it likes, and the library below it what is no Exception.
        check_of_library(error)
        raise BundleError(
            f"{path}: the tokenizer of transformers {transformers.__version__} fails on the text "
            f"{shown(text)} ({sentence(error)})"
        ) from None
    expected = list(made["input_ids"])
    if ids != expected:
        own = ids or []
        pairs = zip(own, expected, strict=False)
        place = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
        place = min(len(own), len(expected)) if place is None else place
        raise BundleError(
            f"{path}: of the text {shown(text)} tokenizer.json makes the tokens "
            f"{shown(own[place:])} from place {place} on, and transformers, which reads "
            f"tokenizer_config.json and config.json too, {shown(expected[place:])} "
            f"({type(theirs).__name__}); transformers.AutoTokenizer.from_pretrained(directory)"
            ".save_pretrained(directory) writes a tokenizer.json that holds the latter; if "
            "tokenizer.json is right, write 'tokenizer_class': 'PreTrainedTokenizerFast' and its "
            "special tokens in tokenizer_config.json"
        )
    if any(made.get("token_type_ids") or ()):
        raise BundleError(
            f"{path}: its tokenizer gives tokens of one text several types (token_type_ids), and "
            "the model gets ids and mask only; save the module yourself with format='module'"
        )
