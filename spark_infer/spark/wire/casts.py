"""Source columns as tensor elements in SQL, by the table of ``tensors.arrow.casts``.

A rule is a SQL function and what is done with its result. Where a column's type is known, its rule
is chosen here. Where it is not, Spark chooses when it analyzes the query: ``IDENTIFIER`` takes the
function's name from an expression over ``typeof``, so that no function meets a type that it does
not take, whatever ``spark.sql.ansi.enabled`` says. The optimizer leaves the chosen one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pyspark.sql.types import DataType

from spark_infer.bundle import Input
from spark_infer.spark.driver.session import setting_of_active
from spark_infer.tensors.arrow.casts import TABLE, TOLD_APART, Rule, refusal, rule_of, sql_type
from spark_infer.tensors.arrow.schema import misfit

_WIDER = {"int8": "smallint", "int16": "int", "int32": "bigint"}
"""Where a tensor's type does not hold an integer, one that it does not hold travels."""
_KINDS = ("string", "binary", *TABLE)
_EXACT = 2**53


def wire_type(item: Input) -> str:
    """Return the SQL type in which the input's elements travel."""
    return item.takes or _WIDER.get(item.dtype, sql_type(item))


def held_range(item: Input) -> tuple[int, int]:
    """Return the least and the greatest integer of the input's tensor."""
    info = np.iinfo(item.dtype)
    return int(info.min), int(info.max)


def kind_of(kind: DataType) -> str:
    """Return the kind of column that a Spark type is: its name without parameters."""
    return kind.simpleString().partition("(")[0].partition(" collate ")[0]


def kind_sql(text: str) -> str:
    """Return SQL for the kind of column that an expression is."""
    return f"substring_index(substring_index(typeof({text}), '(', 1), ' collate ', 1)"


def cast_sql(text: str, item: Input, name: str, kind: DataType | None) -> str:
    """Return SQL that casts an expression to an element of the input.

    Args:
        text: The expression.
        item: The input.
        name: The source column, for the message.
        kind: The expression's type, which was checked; None where Spark must look.
    """
    if kind is not None:
        known = kind_of(kind)
        rule = rule_of(known, item)
        assert rule is not None, f"{name}: {known} was not checked"
        return _finish(f"{_function(rule, known, item)}({text})", rule, known, item)
    fitting = {known: rule for known in _KINDS if (rule := rule_of(known, item)) is not None}
    names = {known: _function(rule, known, item) for known, rule in fitting.items()}
    chosen = _case(text, {kind: literal(function) for kind, function in names.items()}, "'typeof'")
    result = f"IDENTIFIER({chosen})({text})"
    # Spark takes its time for each repetition of what it has to look up.
    finished = {
        known: _finish(result, rule, known, item, once=True) for known, rule in fitting.items()
    }
    return _case(text, finished, _refused(f"typeof({text})", item, name))


def refusal_parts(item: Input, name: str) -> tuple[str, str, dict[str, str]]:
    """Return the table's sentence before and after a type's name.

    Third comes what stands after it where the name begins with certain words.
    """
    before, _, after = misfit(name, item, refusal("\0", item)).partition("\0")
    others = {kind: refusal(kind, item).removeprefix(kind) for kind in TOLD_APART}
    return before, after, others


def _refused(kind: str, item: Input, name: str) -> str:
    """Return SQL that fails with the table's sentence, typed as an element of the input."""
    before, after, others = refusal_parts(item, name)
    rest = literal(after)
    for other, its_rest in others.items():
        rest = f"IF(startswith({kind}, '{other}'), {literal(its_rest)}, {rest})"
    message = f"concat({literal(before)}, {kind}, {rest})"
    return f"CAST(raise_error({message}) AS {wire_type(item)})"


def literal(text: str) -> str:
    """Return a text as a SQL literal, which Spark reads as it is."""
    if "\\" in text or "'" in text:
        # A text that Spark does not unescape has no way to hold a ' but beside another one.
        text = text.replace("'", """' "'" '""") if _keeps_escapes() else _escaped(text)
    # Two strings in a row are one: Spark puts a setting in the place of what begins with ${.
    return "'" + text.replace("${", "$' '{") + "'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _keeps_escapes() -> bool:
    said = setting_of_active("spark.sql.parser.escapedStringLiterals", "false")
    return said.strip().lower() == "true"


def _function(rule: Rule, kind: str, item: Input) -> str:
    if rule is Rule.DAYS:
        return "unix_date"
    if rule in (Rule.SECONDS, Rule.WHOLE_SECONDS):
        # No function counts a zoneless timestamp as UTC, but its text with a zone is one.
        return "unix_micros" if kind == "timestamp" else "string"
    return "bigint" if rule is Rule.IN_RANGE else wire_type(item)


def _finish(result: str, rule: Rule, kind: str, item: Input, *, once: bool = False) -> str:
    """Return SQL for the element, given the function's result.

    With ``once`` seconds are computed by a formula that is slower and does not repeat the result.
    In a branch that is not taken the result may be of another type: of any number, or a string.
    The casts here are of types that all of them can be cast to.
    """
    target = wire_type(item)
    if rule is Rule.IN_RANGE:
        number = f"CAST({result} AS bigint)"
        least, most = held_range(item)
        fits = f"{number} IS NULL OR {number} BETWEEN {least} AND {most}"
        return f"IF({fits}, CAST({number} AS {target}), CAST({most + 1} AS {target}))"
    if rule not in (Rule.SECONDS, Rule.WHOLE_SECONDS):
        return f"CAST({result} AS {target})"
    micros = f"CAST({result} AS bigint)"
    if kind == "timestamp_ntz":
        micros = f"unix_micros(CAST(concat(CAST({result} AS STRING), 'Z') AS TIMESTAMP))"
    if rule is Rule.WHOLE_SECONDS:
        # The second before, without a number below the first microsecond.
        return f"({micros} div 1000000L - IF({micros} % 1000000L < 0, 1, 0))"
    # One division of exact doubles is the nearest double, and the way from there to a float ends
    # at the nearest one: in the middle between two of 24 bits lies no other quotient so close.
    far = f"CAST(CAST({micros} AS DECIMAL(20, 0)) * 0.000001BD AS {target})"
    if once:
        return far
    near = f"CAST({micros} / 1000000D AS {target})"
    return f"IF({micros} BETWEEN -{_EXACT}L AND {_EXACT}L, {near}, {far})"


def _case(text: str, by_kind: Mapping[str, str], otherwise: str) -> str:
    """Return SQL that chooses by the kind of column that an expression is."""
    kinds: dict[str, list[str]] = {}
    for kind, sql in by_kind.items():
        kinds.setdefault(sql, []).append(literal(kind))
    branches = (f"WHEN {kind_sql(text)} IN ({', '.join(k)}) THEN {sql}" for sql, k in kinds.items())
    return f"CASE {' '.join(branches)} ELSE {otherwise} END"
