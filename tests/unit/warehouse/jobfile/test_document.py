"""YAML that keeps the text as written, and what it refuses."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.warehouse.jobfile.document import parse
from spark_infer.warehouse.values import Unquoted


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("no", "true or false"),
        ("On", "true or false"),
        ("FALSE", "true or false"),
        ("0123", "a number"),
        ("08", "a number"),
        ("0o17", "a number"),
        ("0x1F", "a number"),
        ("0b11", "a number"),
        ("1_000", "a number"),
        ("1e3", "a number"),
        ("12E-2", "a number"),
        ("+1.", "a number"),
        ("12:30:00", "a number"),
        ("+10:00", "a number"),
        ("-.INF", "a number"),
        (".nan", "a number"),
        ("2018-08-08", "a date or a time"),
        ("2018-08-08T05:00:00+02:00", "a date or a time"),
        ("~", "null"),
        ("Null", "null"),
        ("", "null"),
    ],
)
def test_words_that_may_be_no_text_keep_their_text(word: str, what: str) -> None:
    found = parse(f"key: {word}")["key"]
    assert isinstance(found, Unquoted)
    assert (str(found), found.what) == (word, what)


@pytest.mark.parametrize(
    "text", ["y", "n", "text", "1.2.3", "3g", "local[*]", "=", "+02:00", "a: b"]
)
def test_other_words_and_quoted_ones_are_text(text: str) -> None:
    for written in ([] if ": " in text else [text]) + [f"'{text}'", f'"{text}"', f"|-\n  {text}"]:
        found = parse(f"key: {written}")["key"]
        assert (found, type(found)) == (text, str)
    assert type(parse("key: 'no'")["key"]) is str


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x b\nc: *x", r"line 2, column 4: aliases \(\*name\)"),
        ("a: &x [*x]", "aliases"),
        ("<<: {a: b}", "key << is a merge key to YAML; quote it"),
        ("a: !!str 7", "tags .*; to have text, quote it"),
        ("a: ! 7", "tags"),
        ("a: !!python/name:os.system x", "tags"),
        ("no: b", "key no is true or false to YAML; quote it: 'no'"),
        ("a: {1: b}", "column 5: key 1 is a number"),
        ("? [a]\n: b", r"a key must be text, got \['a'\]"),
        ("? {a: b}\n: b", "a key must be text"),
        ("a: b\n'a': c", "line 2, column 1: key 'a' stands twice"),
        ("a: {b: {c: 1, c: 2}}", "key 'c' stands twice"),
        ("a: " + "[" * 5000, "nested deeper than 20 levels"),
        ("a: " + "{a: " * 30 + "b" + "}" * 30, "nested deeper than 20 levels"),
        ("a: b\n---\na: c", "another document"),
        ("a: \x00", "special characters"),
        ("a: [", "line 1"),
        ('a: "x\\uD83D"', "line 1, column 4: half of a pair"),
        ('"\\uDE00": b', "half of a pair"),
        ('a: "\\UFFFFFFFF"', r"holds a number that stands for nothing \(Python int too large"),
        ('"\\U00110000": b', r"stands for nothing \(chr\(\) arg not in range"),
        ("%YAML 1." + "1" * 5000 + "\n---\na: b", r"stands for nothing .*4300.* 5000 digits\)$"),
    ],
)
def test_what_a_job_file_does_not_need_is_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_an_empty_document_is_none() -> None:
    assert parse("# nothing") is None
