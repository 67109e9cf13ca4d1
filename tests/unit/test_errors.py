from __future__ import annotations

import inspect
import re

import pytest

from spark_infer import errors
from spark_infer.errors import SparkInferError, nearest, printable


def test_every_error_has_the_one_root_and_is_drawn_in_the_tree() -> None:
    classes = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception)
    }
    assert all(issubclass(kind, SparkInferError) for kind in classes.values())
    drawn = set(re.findall(r"^(?:[├└│─ ]*)(\w+)", str(errors.__doc__), re.MULTILINE))
    assert classes.keys() <= drawn


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("amuont", "; did you mean 'amount'?"),
        ("AMOUNT", "; did you mean 'amount'?"),
        ("hours", "; did you mean 'Hour'?"),
        ("zzz", ""),
    ],
)
def test_the_nearest_known_word_is_suggested(word: str, hint: str) -> None:
    assert nearest(word, ["amount", "Hour"]) == hint
    assert nearest(word, []) == ""


@pytest.mark.parametrize(
    "char", ["\x1b", "\x9b", "\u202e", "\u2028", "\r", "\x00", "\ud800", "\x7f"]
)
def test_what_would_steer_a_terminal_or_a_log_is_escaped(char: str) -> None:
    for kind in (SparkInferError, errors.BundleError, errors.RuntimeUnavailable):
        raised = kind(f"unknown key 'a{char}[2J'", transient=True)
        assert str(raised) == f"unknown key 'a{ascii(char)[1:-1]}[2J'"
        assert raised.transient
        assert str(kind(*raised.args)) == str(raised)
    assert printable(f"a\n\u00e9 {char}") == f"a\n\u00e9 {ascii(char)[1:-1]}"


@pytest.mark.parametrize("text", ["a\nb", "a \n\n  b", "\na\n\tb\n", "a\n \n\nb"])
def test_a_message_is_one_line(text: str) -> None:
    assert str(errors.BundleError(text)) == "a b"
