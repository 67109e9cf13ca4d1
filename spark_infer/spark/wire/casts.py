"""Source columns as tensor elements in SQL, by the table of ``tensors.arrow.casts``.

A rule is a SQL function and what is done with its result. Where a column's type is known, its rule
is chosen here. Where it is not, Spark chooses when it analyzes the query: ``IDENTIFIER`` takes the
function's name from an expression over ``typeof``, so that no function meets a type that it does
not take, whatever ``spark.sql.ansi.enabled`` says. The optimizer leaves the chosen one.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql.types import DataType

from spark_infer.bundle import Input
from spark_infer.tensors.arrow.casts import TABLE, Rule, refusal, rule_of
from spark_infer.tensors.arrow.schema import misfit

_SQL_TYPES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "float16": "double",
    "float32": "float",
    "float64": "double",
}
"""What Spark sends for each tensor type: the same, or the next that it has."""
_KINDS = ("string", *TABLE)
_EXACT = 2**53


def sql_type(item: Input) -> str:
    """Return the SQL type in which the input's elements travel."""
    if item.vocabulary is not None:
        return "string" if isinstance(item.vocabulary[0], str) else "bigint"
    return _SQL_TYPES[item.dtype]


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


def refusal_parts(item: Input, name: str) -> tuple[str, str, str]:
    """Return the table's sentence before and after a type's name, and that for strings."""
    before, _, after = misfit(name, item, refusal("\0", item)).partition("\0")
    return before, after, misfit(name, item, refusal("string", item))


def _refused(kind: str, item: Input, name: str) -> str:
    """Return SQL that fails with the table's sentence, typed as an element of the input."""
    before, after, of_string = map(literal, refusal_parts(item, name))
    message = f"IF({kind} = 'string', {of_string}, concat({before}, {kind}, {after}))"
    return f"CAST(raise_error({message}) AS {sql_type(item)})"


def literal(text: str) -> str:
    """Return a text as a SQL literal, which Spark reads as it is."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    # Two strings in a row are one: Spark puts a setting in the place of what begins with ${.
    return "'" + escaped.replace("${", "$' '{") + "'"


def _function(rule: Rule, kind: str, item: Input) -> str:
    if rule is Rule.DAYS:
        return "unix_date"
    if rule in (Rule.SECONDS, Rule.WHOLE_SECONDS):
        # No function counts a zoneless timestamp as UTC, but its text with a zone is one.
        return "unix_micros" if kind == "timestamp" else "string"
    return "bigint" if rule is Rule.IN_RANGE else sql_type(item)


def _finish(result: str, rule: Rule, kind: str, item: Input, *, once: bool = False) -> str:
    """Return SQL for the element, given the function's result.

    With ``once`` seconds are computed by a formula that is slower and does not repeat the result.
    In a branch that is not taken the result may be of another type: of any number, or a string.
    The casts here are of types that all of them can be cast to.
    """
    target = sql_type(item)
    if rule is Rule.IN_RANGE:
        number = f"CAST({result} AS bigint)"
        fits = f"{number} IS NULL OR {number} BETWEEN 0 AND 255"
        return f"IF({fits}, CAST({number} AS smallint), CAST(-1 AS smallint))"
    if rule not in (Rule.SECONDS, Rule.WHOLE_SECONDS):
        return f"CAST({result} AS {target})"
    micros = f"CAST({result} AS bigint)"
    if kind == "timestamp_ntz":
        micros = f"unix_micros(CAST(concat(CAST({result} AS STRING), 'Z') AS TIMESTAMP))"
    if rule is Rule.WHOLE_SECONDS:
        return f"(({micros} - pmod({micros}, 1000000L)) div 1000000L)"
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
