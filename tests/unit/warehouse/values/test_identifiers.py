from __future__ import annotations

import pytest

from spark_infer.warehouse.values.identifiers import identifiers


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("scores", ("scores",)),
        ("Store.Scores_1", ("store", "scores_1")),
        ('"Store"."a.b ""c"" ü"', ("Store", 'a.b "c" ü')),
        ('store."; DROP TABLE x"', ("store", "; DROP TABLE x")),
        ("x" * 63, ("x" * 63,)),
    ],
)
def test_names(text: str, parts: tuple[str, ...]) -> None:
    assert identifiers(text, most=2) == parts


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a.b.c", "a b", "1a", "a-b", '"a', '""', 'a"b"', '"a\0"']
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be \[schema\.\]table"):
        identifiers(text, most=2)


def test_names_that_are_cut() -> None:
    with pytest.raises(ValueError, match="more than 63 bytes"):
        identifiers('"' + "ü" * 32 + '"', most=1)
