"""A reason, taken apart: at which stage a row failed, and how."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.model.deadline import PENDING

_NAME = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_COLUMN = rf"^column {_NAME}(?: \(input {_NAME}\))?"
_KINDS = (
    (rf"^{PENDING}$", "deadline", "pending"),
    (rf"^run: output {_NAME}", "output", "value"),
    (rf"{_COLUMN} (?:is null|holds a null)", "input", "null"),
    (rf"{_COLUMN} is (?:shorter|longer) than ", "input", "length"),
    (rf"{_COLUMN} holds a value outside ", "input", "range"),
    (rf"{_COLUMN}: ", "transform", "value"),
    (_COLUMN, "input", "shape"),
)
"""How reasons begin, in this order; the others are of the model, and name the error's type."""
_ERROR = r"^\w+: (\w+)"


def stage_of(reason: Column) -> Column:
    """Return where a row failed: ``input``, ``transform``, ``model``, ``output``, ``deadline``."""
    return _chosen(reason, 0, F.lit("model"))


def kind_of(reason: Column) -> Column:
    """Return what was wrong, in a word: of the model the type of its error."""
    return _chosen(reason, 1, F.regexp_extract(reason, _ERROR, 1))


def _chosen(reason: Column, which: int, otherwise: Column) -> Column:
    def one(so_far: Column, case: tuple[str, str, str]) -> Column:
        pattern, *words = case
        return F.when(reason.rlike(pattern), F.lit(words[which])).otherwise(so_far)

    return reduce(one, reversed(_KINDS), otherwise)
