from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from spark_infer.bundle.documents import as_tuple, check_fields, cut, parse, shown
from spark_infer.errors import SignatureError


def test_json_is_read() -> None:
    text = '{"a": [1, 0.5, true, null, "naïve \\ud83d\\ude42"], "b": {}}'
    assert parse(text.encode()) == {"a": [1, 0.5, True, None, "naïve 🙂"], "b": {}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "key 'a' is there twice"),
        (b'{"a": {"b": 1, "b": 1}}', "key 'b' is there twice"),
        (b'{"a": NaN}', "'NaN' is no finite number"),
        (b'{"a": -Infinity}', "'-Infinity' is no finite number"),
        (b'{"a": 1e999}', "'1e999' is no finite number"),
        (b"[" * 40 + b"]" * 40, "nested deeper than 32 levels"),
        (b"[" * 1_000_000, "nested deeper than 32 levels"),
        (b'{"a":' * 500_000, "nested deeper than 32 levels"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"a": "\xe9"}', "invalid continuation byte"),
        (b"1" * 5000, "integer string conversion"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        (b"{} {}", "Extra data"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_no_strict_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize("given", [[1, 2], (1, 2), range(1, 3)])
def test_what_has_an_order_is_a_list(given: object) -> None:
    assert as_tuple(given, where="x") == (1, 2)


@pytest.mark.parametrize("given", [5, None, {1, 2}, frozenset({1}), {1: 2}, b"ab", 1.5, "ab"])
def test_what_has_no_order_is_no_list(given: object) -> None:
    with pytest.raises(SignatureError, match="x must be a list, "):
        as_tuple(given, where="x")


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


class array(Odd):  # noqa: N801 - a name for which reprlib has a rule
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([10**5000], "[<int>]"),
        ([1, -(10**5000)], "[1, <int>]"),
        ({"a": (10**5000,)}, "{'a': (<int>,)}"),
        (array(), "<array>"),
        ({1: array()}, "{1: <array>}"),
        ("a\nb", r"'a\nb'"),
    ],
)
def test_what_has_no_text_is_shown_by_its_type(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_what_fails_to_describe_itself_is_shown() -> None:
    assert shown(Odd()).startswith("<Odd instance at 0x")
    assert shown([Odd()]).startswith("[<Odd instance at 0x")


def test_a_long_message_keeps_its_begin_and_its_end() -> None:
    assert cut(ValueError("x" * 600)) == "x" * 600
    found = cut("begin" + "x" * 1_000_000 + "end")
    assert found.startswith("begin")
    assert found.endswith("end")
    assert len(found) < 610


@dataclass
class Fields:
    """One mapping and one list."""

    names: Mapping[str, str]
    sizes: Sequence[int]


NAMES = {f"n{place}": "x" for place in range(5_000)}
SIZES = [0] * 5_000


@pytest.mark.parametrize(
    ("names", "sizes", "message"),
    [
        ({**NAMES, "odd": 1}, SIZES, r"here: names\['odd'\] must be a valid string, got 1"),
        (NAMES, [*SIZES, "odd"], r"here: sizes\[5000\] must be a valid integer, got 'odd'"),
        (NAMES, (*SIZES[:1_000], None), r"here: sizes\[1000\] must be a valid integer, got None"),
        ([*NAMES], SIZES, "here: names must be "),
        (NAMES, NAMES, "here: sizes must be "),
        (dict.fromkeys(range(5_000), "x"), SIZES, r"here: names\[0\].* must be a valid string"),
    ],
)
def test_what_is_wrong_in_many_items_is_named(names: Any, sizes: Any, message: str) -> None:
    check_fields(Fields(NAMES, SIZES), where="here")
    with pytest.raises(SignatureError, match=message):
        check_fields(Fields(names, sizes), where="here")


def test_a_million_wrong_items_are_refused_at_once() -> None:
    wrong: Any = dict.fromkeys(map(str, range(1_000_000)), 1)
    begin = time.perf_counter()
    with pytest.raises(SignatureError, match=r"names\['0'\] must be a valid string"):
        check_fields(Fields(wrong, []), where="here")
    assert time.perf_counter() - begin < 5
