"""Text to ids, by tokenizers that are cut on either side, and by those that fail."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.errors import BundleError, SignatureError
from spark_infer.tensors.rows import Rows
from spark_infer.transforms import make_decoder

pytest.importorskip("tokenizers")

WORDS = {"[UNK]": 0, "a": 1, "b": 2, "c": 3, "[CLS]": 4, "[SEP]": 5}
MARKS = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {
        name: {"id": name, "ids": [WORDS[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")
    },
}


def document(**changes: Any) -> str:
    parts = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "[UNK]"},
    }
    return json.dumps(parts | changes)


def item(text: str, **options: Any) -> si.RaggedInput:
    tokenize = si.Tokenize(document=text, **options)
    return si.RaggedInput("x", column="x", dtype="int64", transform=tokenize, nulls="empty")


def ids(tokens: si.RaggedInput, *texts: str | None) -> tuple[list[Any], list[Any]]:
    signature = si.Signature(inputs=[tokens], outputs=[si.Output("y")])
    rows = pa.RecordBatch.from_pydict({"x": pa.array(texts, pa.string())})
    found = make_decoder(signature).decode(rows)
    reasons = found.rejects.reasons().to_pylist() if found.rejects.count else [None] * len(texts)
    tensors = found.tensors(Rows.run(0, len(texts)))
    lengths = tensors["x_mask"].sum(1)
    return [row[: int(n)].tolist() for row, n in zip(tensors["x"], lengths, strict=True)], reasons


def test_the_side_on_which_the_document_cuts_is_kept() -> None:
    cut = {"max_length": 9, "strategy": "LongestFirst", "stride": 0}
    for side, expected in (("Right", [1, 2]), ("Left", [2, 3])):
        text = document(truncation={**cut, "direction": side})
        assert ids(item(text, max_length=2), "a b c")[0] == [expected]
    assert ids(item(document(), max_length=2), "a b c")[0] == [[1, 2]]


def test_marks_leave_a_place_for_the_text_or_are_refused() -> None:
    text = document(post_processor=MARKS)
    assert ids(item(text, max_length=3), "a b c")[0] == [[4, 1, 5]]
    for length in (1, 2):
        with pytest.raises(SignatureError, match=r"max_length \d leaves no place .* at least 3"):
            ids(item(text, max_length=length), "a b c")


@pytest.mark.parametrize("dropout", [0.1, 1.0, "0.5", True])
def test_a_tokenizer_that_draws_is_refused(dropout: Any) -> None:
    model = {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": dropout}
    with pytest.raises(SignatureError, match=r"at random .* set dropout to null in tok"):
        item(document(model=model))
    for fine in (None, 0.0):
        assert item(document(model=model | {"dropout": fine}))


def test_a_text_that_the_tokenizer_does_not_take_is_rejected() -> None:
    model = {"type": "WordLevel", "vocab": {"a": 1, "b": 2}, "unk_token": "[UNK]"}
    found, reasons = ids(item(document(model=model)), "a", "bye", None, "b")
    assert found[0] == [1]
    assert found[3] == [2]
    assert [reason is None for reason in reasons] == [True, False, True, True]
    assert "column 'x': transform 'tokenize' does not take this text (WordLevel" in reasons[1]


def test_a_panic_of_the_library_rejects_the_text_that_it_is_about() -> None:
    split = {"type": "Split", "pattern": {"Regex": "(x+)+$"}, "behavior": "Isolated"}
    tokens = item(document(pre_tokenizer={**split, "invert": False}))
    found, reasons = ids(tokens, "a", "x" * 40 + "b")
    assert found[0] == [1]
    assert reasons[0] is None
    assert "does not take this text" in reasons[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"type": "Odd"}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"pre_tokenizer": {"type": "Split"}},
        {"version": "9" * 5000},
        {"model": {"type": "WordLevel", "vocab": "a" * 5000, "unk_token": "[UNK]"}},
    ],
)
def test_a_document_that_the_library_does_not_read_is_one_sentence(changes: Any) -> None:
    with pytest.raises(BundleError, match="does not read the tokenizer") as error:
        ids(item(document(**changes)), "a")
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    ("dtype", "largest", "fits"),
    [
        ("int32", 2**31 - 1, True),
        ("int32", 2**31, False),
        ("int32", 2**32 - 1, False),
        ("int64", 2**32 - 1, True),
    ],
)
def test_an_id_that_the_tensor_does_not_hold_rejects_the_text(
    dtype: str, largest: int, fits: bool
) -> None:
    model = {"type": "WordLevel", "vocab": {**WORDS, "z": largest}, "unk_token": "[UNK]"}
    tokens = dataclasses.replace(item(document(model=model)), dtype=dtype)
    found, reasons = ids(tokens, "a", "b z", "b")
    assert found == [[1], [2, largest] if fits else [], [2]]
    assert reasons[::2] == [None, None]
    assert fits or "an id that a tensor of int32 does not hold; dtype must be" in reasons[1]


@pytest.mark.parametrize("most", [0, -1, 2**31, 2**63, 2**64, 10**4000])
def test_a_limit_of_tokens_that_no_tensor_has_is_refused(most: int) -> None:
    with pytest.raises(SignatureError, match="max_length must be at least 1 and at most") as raised:
        si.Tokenize(document=document(), max_length=most)
    assert len(str(raised.value)) < 200
    assert ids(item(document(), max_length=2**31 - 1), "a b")[0] == [[1, 2]]
