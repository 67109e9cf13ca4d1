"""What Spark's plan does between the files and the model, as far as a worker does it alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_infer.spark.plans import attribute_id, items, kind_of
from spark_infer.spark.scan.plan.values import value
from spark_infer.spark.scan.refused import NotDirect

_COMPARISONS: dict[str, Callable[[pa.Array, pa.Scalar], pa.Array]] = {
    "EqualTo": pc.equal,
    "LessThan": pc.less,
    "LessThanOrEqual": pc.less_equal,
    "GreaterThan": pc.greater,
    "GreaterThanOrEqual": pc.greater_equal,
}
_TURNED = {
    "EqualTo": "EqualTo",
    "LessThan": "GreaterThan",
    "LessThanOrEqual": "GreaterThanOrEqual",
    "GreaterThan": "LessThan",
    "GreaterThanOrEqual": "LessThanOrEqual",
}


@dataclass(frozen=True)
class Condition:
    """A comparison that rows must meet, of one column.

    Attributes:
        column: Place of the column among those that are read.
        test: Name of Spark's expression.
        values: What the column is compared with; those of ``In`` are several.
    """

    column: int
    test: str
    values: pa.Array

    def met(self, column: pa.Array) -> pa.Array:
        """Return for each value whether it meets the condition; null counts as false."""
        if self.test == "IsNotNull":
            return column.is_valid()
        if self.test == "IsNull":
            return column.is_null()
        if self.test == "In":
            found = [pc.equal(column, sought) for sought in self.values]
            return reduce(pc.or_kleene, found)
        return _COMPARISONS[self.test](column, self.values[0])


def conditions(
    root: Any, places: Mapping[int, int], types: Callable[[int], pa.DataType]
) -> Iterator[Condition]:
    """Translate the condition of a filter.

    Args:
        root: Spark's expression.
        places: Place of each attribute among the columns that are read, by the attribute's id.
        types: Returns the Arrow type of the column of an attribute.

    Raises:
        NotDirect: It is more than simple comparisons.
    """
    if kind_of(root) == "And":
        for side in items(root.children()):
            yield from conditions(side, places, types)
        return
    yield _condition(root, places, types)


def _condition(
    root: Any, places: Mapping[int, int], types: Callable[[int], pa.DataType]
) -> Condition:
    test, sides = kind_of(root), list(items(root.children()))
    if test in _TURNED and kind_of(sides[0]) == "Literal":
        test, sides = _TURNED[test], sides[::-1]
    plain = [kind_of(side) for side in sides]
    known = test in _COMPARISONS or test in ("In", "IsNotNull", "IsNull")
    if not known or plain != ["AttributeReference", *["Literal"] * (len(sides) - 1)]:
        raise NotDirect(f"the filter {shown(root)} is more than comparisons of columns with values")
    if attribute_id(sides[0]) not in places:
        raise NotDirect(f"the filter {shown(root)} reads what is no column of the files")
    kind = types(attribute_id(sides[0]))
    if len(sides) > 1 and not _compares_alike(kind):
        raise NotDirect(f"the filter {shown(root)} compares values of type {kind}")
    found = [value(side.value(), kind) for side in sides[1:]]
    values = pa.concat_arrays(found) if found else pa.nulls(0, kind)
    return Condition(places[attribute_id(sides[0])], test, values)


def _compares_alike(kind: pa.DataType) -> bool:
    """Return whether Spark and Arrow order values of a type alike: not numbers with NaN."""
    return bool(
        pat.is_integer(kind)
        or pat.is_boolean(kind)
        or pat.is_string(kind)
        or pat.is_date32(kind)
        or pat.is_timestamp(kind)
    )


def shown(expression: Any) -> str:
    """Return an expression for a message, without the numbers of its columns and cut."""
    # Not its sql(), which names the views that a column came through.
    text = re.sub(r"#\d+L?\b", "", str(expression.toString()))
    return text if len(text) <= 60 else f"{text[:60]}..."
