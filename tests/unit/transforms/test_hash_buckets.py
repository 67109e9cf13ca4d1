from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.errors import RuntimeUnavailable, SignatureError
from spark_infer.tensors.rows import Rows
from spark_infer.transforms import make_decoder

SEED = 0x9747B28C
HASHES = {
    ("", 0): 0,
    ("", 1): 0x514E28B7,
    ("aaaa", SEED): 0x5A97808A,
    ("abc", 0): 0xB3DD93FA,
    ("Hello, world!", SEED): 0x24884CBA,
    ("ππππππππ", SEED): 0xD58063C1,
    ("The quick brown fox jumps over the lazy dog", SEED): 0x2FA826CD,
}
"""Published values of MurmurHash3_x86_32."""


def of(item: Any) -> si.Signature:
    return si.Signature(inputs=[item], outputs=[si.Output("y")])


def tensors(item: Any, column: pa.Array | list[Any]) -> tuple[dict[str, Any], list[str | None]]:
    decoded = make_decoder(of(item)).decode(pa.RecordBatch.from_pydict({"x": column}))
    return decoded.tensors(decoded.rejects.accepted), decoded.rejects.reasons().to_pylist()


@pytest.mark.parametrize(("word", "seed"), [*HASHES])
def test_it_is_the_published_hash(word: str, seed: int) -> None:
    pytest.importorskip("mmh3")
    transform = si.HashBuckets(num_buckets=2**31 - 1, seed=seed)
    item = si.ScalarInput("x", columns=["x"], transform=transform)
    found, _ = tensors(item, [word])
    assert found["x"].dtype == np.int64
    assert found["x"].item() == HASHES[word, seed] % (2**31 - 1)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "b", "a"]),
        pa.array(["a", None, "b", "a"], pa.large_string()),
        pa.array(["a", None, "b", "a"]).dictionary_encode(),
        pa.array(["z", "a", None, "b", "a"])[1:],
    ],
    ids=["plain", "large", "dictionary", "slice"],
)
def test_nulls_are_the_null_rules(column: pa.Array) -> None:
    transform = si.HashBuckets(num_buckets=50)
    rejecting = si.ScalarInput("x", columns=["x"], transform=transform)
    found, reasons = tensors(rejecting, column)
    a, b = (bucket_of(word, 50) for word in "ab")
    assert found["x"].tolist() == [[a], [b], [a]]
    assert reasons == [None, "column 'x' is null", None, None]
    filling = si.ScalarInput("x", columns=[si.Column("x", nulls=7)], transform=transform)
    found, reasons = tensors(filling, column)
    assert found["x"].tolist() == [[a], [7], [b], [a]]
    assert reasons == [None] * 4


def test_text_that_is_no_utf_8_is_hashed_as_it_is() -> None:
    import mmh3

    item = si.ScalarInput("x", columns=["x"], transform=si.HashBuckets(num_buckets=1000))
    column = pa.array([b"M\xfcl", b"b"]).view(pa.string())
    found, reasons = tensors(item, column)
    assert found["x"].tolist() == [
        [mmh3.hash(b"M\xfcl", 0, signed=False) % 1000],
        [bucket_of("b", 1000)],
    ]
    assert reasons == [None, None]


def bucket_of(word: str, buckets: int) -> int:
    import mmh3

    return int(mmh3.hash(word.encode(), 0, signed=False)) % buckets


def test_every_kind_of_input_takes_them() -> None:
    a, b = (bucket_of(word, 9) for word in "ab")
    transform = si.HashBuckets(num_buckets=9)
    ragged = si.RaggedInput("x", column="x", transform=transform, null_items=8, pad_value=3)
    found, _ = tensors(ragged, [["a"], ["b", None, "a"], []])
    assert found["x"].tolist() == [[a, 3, 3], [b, 8, a], [3, 3, 3]]
    array = si.ArrayInput("x", column="x", shape=[2, 1], transform=transform, dtype="int32")
    found, reasons = tensors(array, [[["a"], ["b"]], [["a"]], None])
    assert found["x"].tolist() == [[[a], [b]]]
    assert reasons == [None, "column 'x' is not of shape [2, 1]", "column 'x' is null"]


def test_packed_scalars_are_hashed_too() -> None:
    item = si.ScalarInput("x", columns=["p", "q"], transform=si.HashBuckets(num_buckets=9))
    decoder = make_decoder(of(item), packed=["x"])
    decoded = decoder.decode(pa.RecordBatch.from_pydict({"x[]": [["a", "b"], ["b", "a"]]}))
    a, b = (bucket_of(word, 9) for word in "ab")
    assert decoded.tensors(Rows.run(0, 2))["x"].tolist() == [[a, b], [b, a]]


@pytest.mark.parametrize(
    ("column", "came"), [([1], "bigint"), ([b"x"], "binary"), ([1.5], "double")]
)
def test_other_columns_are_refused(column: list[Any], came: str) -> None:
    item = si.ScalarInput("x", columns=["x"], transform=si.HashBuckets(num_buckets=9))
    with pytest.raises(SignatureError, match=f"{came} does not match transform 'hash_buckets'; "):
        tensors(item, column)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"num_buckets": 0}, "num_buckets must be from 1 to 2147483647, got 0"),
        ({"num_buckets": 2**31}, "num_buckets must be from 1 to"),
        ({"num_buckets": 5, "seed": -1}, "seed must be from 0 to 4294967295, got -1"),
        ({"num_buckets": "5"}, "num_buckets must be a valid integer, got '5'"),
        ({"num_buckets": True}, "num_buckets must be a valid integer, got True"),
    ],
)
def test_wrong_options(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(SignatureError, match=problem):
        si.HashBuckets(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"dtype": "float32"}, "dtype must be an integer type such as int64, not float32"),
        ({"dtype": "int8"}, "bucket 999 does not fit a tensor of int8"),
        ({"vocabulary": ["a"]}, "give it a vocabulary or a transform, not both"),
        (
            {"transform": "hash"},
            "transform must be one of HashBuckets, RawBytes, Tokenize, got 'hash'",
        ),
        ({"transform": si.RawBytes()}, "makes arrays, which an ArrayInput or a RaggedInput takes"),
    ],
)
def test_inputs_that_it_does_not_fit(options: dict[str, Any], problem: str) -> None:
    given = {"transform": si.HashBuckets(num_buckets=1000), **options}
    with pytest.raises(SignatureError, match=problem):
        si.ScalarInput("x", columns=["x"], **given)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mmh3", None)
    monkeypatch.delitem(sys.modules, "spark_infer.transforms.hash_buckets", raising=False)
    item = si.ScalarInput("x", columns=["x"], transform=si.HashBuckets(num_buckets=9))
    with pytest.raises(RuntimeUnavailable, match=r"mmh3 is not installed .*pip install mmh3"):
        make_decoder(of(item))
