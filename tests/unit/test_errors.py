from __future__ import annotations

import inspect
import random
import re
import time

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


LONG = "n" * 10**6


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"column {LONG!r} is no name", r"column 'n{99}\.\.\.n{39}' is no name"),
        (f"{LONG} is not {LONG}; do this", r"n{100}\.\.\.n{40} is not n{100}\.\.\.n{39}; do this"),
        ("a b " * 10**6 + "; do this", r"[ ab]+\.\.\.[ ab]+; do this"),
        ("a" + " " * 10**6 + "b", r"a +\.\.\. +b"),
        ("a" + "\n " * 10**6 + "b", "a b"),
        ("\x1b" * 10**6, r"(\\x1b){25}\.\.\.(\\x1b){10}"),
        ("\U000e0001 " * 1000, r"(\\U000e0001 )+.{0,11}\.\.\..{0,11}(\\U000e0001 )+"),
        ("\ud800" * 10**6, r".{100}\.\.\..{40}"),
    ],
    ids=range(8),
)
def test_what_makes_a_message_too_long_is_left_out(text: str, left: str) -> None:
    started = time.process_time()
    message = str(errors.BundleError(text))
    assert time.process_time() - started < 15
    assert len(message) <= errors.MAX_MESSAGE
    assert re.fullmatch(left, message)
    assert str(errors.ConfigError(f"{message}")) == message


def test_what_fits_into_a_message_stays_as_it_is() -> None:
    text = f"a {'x' * (errors.MAX_MESSAGE - 4)} b"
    assert str(errors.BundleError(text)) == text


def test_the_nearest_of_many_or_long_words_is_looked_for_in_bounds() -> None:
    shuffled = random.Random(1)
    letters = "abcdefghij" * 10
    alike = ["".join(shuffled.sample(letters, 100)) for _ in range(10_000)]
    cases = [
        (alike[-1][::-1], alike),
        (LONG, [LONG[1:], "n" * 99]),
        ("amount", [LONG, *(f"column_{i}" for i in range(100_000))]),
        ("n" * 99, [LONG] * 1000),
    ]
    started = time.process_time()
    for word, known in cases:
        assert len(nearest(word, known)) < 200
    assert time.process_time() - started < 15
    assert nearest("amuont", [LONG, "amount"]) == "; did you mean 'amount'?"
    assert nearest("amuont", [*map(str, range(5000)), "amount"]) == "; did you mean 'amount'?"
