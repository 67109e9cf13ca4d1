"""Pictures of numbers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from spark_infer.report.page.drawing import bar, histogram, stack


def rectangles(drawn: str) -> list[tuple[str, ...]]:
    root = ElementTree.fromstring(drawn)
    return [
        tuple(e.get(key) or "" for key in ("x", "y", "width", "height")) for e in root.iter("rect")
    ]


@pytest.mark.parametrize(
    ("length", "start", "x", "width"),
    [
        (0.25, 0.5, "50.00", "25.00"),
        (0.0, 0.0, "0.00", "0.00"),
        (1e-9, 0.0, "0.00", "0.40"),  # can be seen
        (1e-9, 1.0, "99.60", "0.40"),  # inside
        (7.0, 0.0, "0.00", "100.00"),
    ],
)
def test_a_bar_is_as_long_as_its_share(length: float, start: float, x: str, width: str) -> None:
    assert rectangles(bar(length, start)) == [(x, "0.00", width, "10.00")]


def test_parts_lie_side_by_side() -> None:
    found = rectangles(stack([0.5, 0.25, 0.25]))
    assert [(x, width) for x, _, width, _ in found] == [
        ("0.00", "50.00"),
        ("50.00", "25.00"),
        ("75.00", "25.00"),
    ]


def test_columns_are_as_high_as_their_shares() -> None:
    heights = [float(found[3]) for found in rectangles(histogram([0.1, 0.2, 0.0]))]
    assert heights == [47.0, 94.0, 0.0]
    drawn = ElementTree.fromstring(histogram([0.1, 0.2], [0.2, 0.4]))
    (line,) = drawn.iter("path")
    assert line.get("d") == "M0 96.00L0.00 49.00L160.00 49.00L160.00 2.00L320.00 2.00L320.00 96.00"


def test_nothing_can_be_drawn() -> None:
    assert rectangles(histogram([])) == []
    assert [found[3] for found in rectangles(histogram([0.0], [0.0]))] == ["0.00"]
