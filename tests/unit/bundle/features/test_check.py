from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from scripts.fraud.features import FEATURES, HISTORY
from spark_infer.bundle import Bundle, Manifest, Output, ScalarInput, Signature
from spark_infer.bundle.features import check_features, moments
from spark_infer.bundle.files.digest import seal
from spark_infer.errors import BundleError, SignatureError
from tests.unit.support.artifacts import EXPORTED
from tests.unit.support.expressions import CALLS, HOSTILE, ORDINARY, QUERIES, ROWS, expressions

MANIFEST = Manifest(
    name="m",
    artifacts=EXPORTED,
    signature=Signature(inputs=[ScalarInput("x", columns=["a", "b"])], outputs=[Output("y")]),
    features={"a": "b + 1"},
)


@pytest.mark.parametrize("expression", ORDINARY)
def test_an_ordinary_expression_is_a_feature(expression: str) -> None:
    check_features({"a": expression})


def test_the_fraud_features_are_features() -> None:
    check_features(FEATURES | HISTORY)


@pytest.mark.parametrize("expression", HOSTILE, ids=lambda text: ascii(text)[:60])
def test_what_is_more_than_a_computation_from_columns_is_refused(expression: str) -> None:
    with pytest.raises(SignatureError, match=r"^feature 'a' \(") as caught:
        check_features({"fine": "a + 1", "a": expression})
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 800


def test_a_feature_that_python_does_not_write_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"feature 'a' \(<int>\): .*write a string"):
        check_features({"a": 10**5000})  # type: ignore[dict-item]


@pytest.mark.parametrize("value", [None, 1, True, ["a"], {"sql": "a"}, b"a"])
def test_a_feature_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(SignatureError, match=r"feature 'a' .*write a string"):
        check_features({"a": value})


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("a + (SELECT max(pay) FROM hr.salaries)", "SELECT at character 6 is not allowed"),
        ("a + reflect('a', 'b')", "the function reflect at character 5 is not one that"),
        ("a + hr.f(a)", "the function f at character 8 is not allowed: its name is qualified"),
        ("1 + sum(a)", r"sum at character 5 makes one row of many unless OVER \(...\) follows it"),
        ("abs(a) OVER ()", "abs at character 1 is no window function; leave out OVER"),
        ("a + order", "order at character 5 is not understood; if it is a column, write `order`"),
        ("user", "user at character 1 is not allowed: .*; if it is a column, write `user`"),
        ("a COLLATE b", "COLLATE at character 3 is not understood"),
        ("CAST(a AS money)", "money at character 11 is no type that a feature may be cast to"),
        ("CAST(a, int)", ", at character 7 is not understood, AS is expected"),
        ("abs(a", r"the end is not understood, \) is expected"),
        ("'${env:HOME}'", r"\$\{ is not allowed, not even in a string"),
        (
            "caf\u00e9 + 1",
            "\u00e9 at character 4 is not understood; write a name with .* backticks",
        ),
        ("a\u200b", r"the unprintable character '\\u200b' at character 2 is not allowed"),
        ("a -- b", "the comment -- at character 3 is not allowed"),
        ("'a", "' at character 1 is not closed"),
        ("ts > 'now'", "'now' at character 6 is not allowed: .* the time of the run"),
        ("(" * 51 + "a", "it is nested more than 50 deep"),
        ("a" + " + a" * 401, "more than 400 operators follow each other"),
        (
            "CASE " * 20 + "a" + " WHEN 1 THEN 1 WHEN 2 THEN 2 END" * 20,
            "it is too large at .*BETWEEN, LIKE ANY and CASE",
        ),
        ("(" * 40 + "a" + " BETWEEN 0 AND 1)" * 40, "it is too large at 0 at .* BETWEEN"),
        ("(" * 40 + "s" + " LIKE ANY (s, 'b', 'c'))" * 40, "it is too large"),
        ("s LIKE ANY ('a', " * 20 + "s" + ")" * 20, "it is too large"),
        ("s NOT ILIKE ALL ('a', " * 20 + "s" + ")" * 20, "it is too large"),
        ("s LIKE SOME (upper(" * 20 + "s" + "))" * 20, "it is too large"),
        ("a IN (" + "1, " * 20_000 + "1)", "it is too large at the end"),
        ("'" + "x" * 100_000 + "'", "it is 100,002 characters long, more than 100,000"),
    ],
)
def test_the_message_names_the_part(expression: str, part: str) -> None:
    with pytest.raises(SignatureError, match=part):
        check_features({"a": expression})


@pytest.mark.parametrize("edge", ["\n", " ", "\t", "\x01", "\u3000"])
@pytest.mark.parametrize("text", ["now{}x y", "{}now x{} y", "2024-01-01 {}!", "T12{}x", "{}12{}:"])
def test_long_texts_are_looked_through_once(edge: str, text: str) -> None:
    # Each would be read a few thousand million times if two parts of a pattern shared the spaces.
    long = text.replace("{}", edge * 90_000)
    assert not moments.is_moment(long)
    assert not moments.is_time_of_day(long)
    assert not moments.is_date(long)


@pytest.mark.parametrize("edge", ["", " ", "\n\x01\x7f", "\u3000\x1c"])
def test_edges_do_not_count(edge: str) -> None:
    assert moments.is_moment(f"{edge}now{edge}")
    assert moments.is_moment(f"{edge}Today Japan{edge}")
    assert moments.is_time_of_day(f"{edge}T12{edge}")
    assert moments.is_time_of_day(f"{edge}12:30{edge}")


@pytest.mark.parametrize(
    "word",
    [
        *("now", "Today", " tomorrow ", "now Europe/Paris", "now+01:00", "today Japan"),
        *("yesterday GMT0", "now  Zulu", "today EST5EDT", "tomorrow UTC+1", "now-1", "TODAY\t+1"),
    ],
)
def test_a_text_that_can_be_the_time_of_the_run_is_refused(word: str) -> None:
    for literal in (f"'{word}'", f'"{word}"', f"r'{word}'", f"CAST('{word}' AS DATE)"):
        with pytest.raises(SignatureError, match="the time of the run"):
            check_features({"a": literal})


@pytest.mark.parametrize(
    "word", ["snow", "nowhere", "not now", "todays special", "know", "epoch", "today we sell"]
)
def test_other_texts_are_texts(word: str) -> None:
    check_features({"a": f"s = '{word}' OR s = r'{word}'"})


@pytest.mark.parametrize("expression", [*QUERIES, *CALLS, *ROWS])
def test_a_hostile_part_is_refused_wherever_an_expression_can_stand(expression: str) -> None:
    for place in (
        "a + {}",
        "- {}",
        "abs({})",
        "CASE WHEN flag THEN 1 ELSE {} END",
        "CAST({} AS INT)",
        "transform(arr, x -> {})",
        "struct(a AS x, {} AS y)",
        "sum(a) OVER (PARTITION BY {})",
        "sum(a) OVER (ORDER BY {} DESC)",
        "b IN (1, {})",
        "arr[{}]",
        "a BETWEEN 1 AND {}",
    ):
        with pytest.raises(SignatureError):
            check_features({"a": place.format(expression)})


@given(expressions())
def test_compositions_of_allowed_parts_are_features(expression: str) -> None:
    check_features({"a": expression})


def test_a_bundle_with_a_refused_feature_is_not_loaded(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    data = json.loads((tmp_path / "manifest.json").read_text())
    data["features"] = {"a": "(SELECT max(pay) FROM hr.salaries)"}
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    seal(tmp_path)
    with pytest.raises(BundleError, match=r"is refused: feature 'a' \(\(SELECT max.*SELECT at"):
        Bundle.load(tmp_path)


def test_checking_takes_little_time() -> None:
    features = {f"f{at}": f"CAST(log(c{at} + 1) * 2 AS FLOAT)" for at in range(400)}
    start = time.process_time()
    check_features(features)
    assert time.process_time() - start < 1


def test_a_long_mapping_is_a_feature() -> None:
    check_features(
        {
            "a": "CASE s "
            + " ".join(f"WHEN 'merchant {at}' THEN {at}" for at in range(2_000))
            + " END",
            "b": "s IN (" + ", ".join(f"'{at}'" for at in range(8_000)) + ")",
            "c": " + ".join(f"{at}.5 * c{at}" for at in range(190)),
        }
    )
