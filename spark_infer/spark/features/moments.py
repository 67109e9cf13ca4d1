"""Which features could read the time of the run, by Spark's own reading of them.

Spark turns ``now``, ``today`` and the like into dates and timestamps where it knows the text before
it reads a row. A row's own text is never read so, but a time without a date (``12:30``) is one of
the day of the run, in whatever text it stands. One that is computed from a row's values cannot be
found before the rows are there (``CAST(date_format(ts, 'HH:mm') AS TIMESTAMP)``): such a feature
depends on the day of the run.
"""

from __future__ import annotations

from collections.abc import Iterator

from spark_infer.bundle.features import (
    CONVERT_TIMES,
    MAKE_TEXT,
    TAKE_FORMAT,
    Refused,
    is_moment,
    is_time_of_day,
)
from spark_infer.spark.features.parsed import Parsed

_LAMBDA = "LambdaFunction"
_VARIABLE = "UnresolvedNamedLambdaVariable"
_PARSED_BY_SPARK = ("date", "timestamp", "timestamp_ntz", "binary")


def is_typed(node: Parsed) -> bool:
    """Return whether a node is ``DATE '...'`` or the like, whose text Spark's parser has read."""
    return node.kind == "Literal" and node.type in _PARSED_BY_SPARK


def check_moments(root: Parsed, *, is_typed_later: bool) -> bool:
    """Refuse texts of an expression that would be the time of the run.

    Args:
        root: The expression.
        is_typed_later: Whether Spark's plan of it, with the types of its columns, is looked at
            too. If not, each text could be compared with a date.

    Returns:
        Whether the plan is to be looked at: it may make a date of one of the texts.
    """
    is_doubtful = False
    for node in _below(root):
        if node.kind == "Literal" and is_moment(node.text):
            raise Refused(f"{node.text!r} is the time of the run as a date or timestamp")
        if _converts(node):
            for time in _times(node):
                raise Refused(f"{time!r} without a date is a time on the day of the run")
        if _is_computed_text(node):
            if not is_typed_later:
                raise Refused(
                    f"{node.text or '||'} makes a text of no column, which could be the time of "
                    "the run; write the text itself, or use predict, which knows the columns"
                )
            is_doubtful = True
    for time in _times(root):
        if not is_typed_later:
            raise Refused(
                f"{time!r} without a date could be a time on the day of the run; compare hour(...) "
                "and minute(...), or use predict, which knows the columns"
            )
        is_doubtful = True
    return is_doubtful


def _converts(node: Parsed) -> bool:
    if node.kind == "Cast":
        return "timestamp" in node.type
    return node.kind == "UnresolvedFunction" and node.text.lower() in CONVERT_TIMES


def _times(root: Parsed) -> Iterator[str]:
    """Yield the texts that are a time of day, but for those that are read by a format."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.kind == "Literal" and is_time_of_day(node.text):
            yield node.text
        has_format = node.text.lower() in TAKE_FORMAT and len(node.children) > 1
        pending.extend(node.children[1:] if has_format else node.children)


def _is_computed_text(node: Parsed) -> bool:
    """Return whether a node makes a text of no column."""
    if _makes_text(node):
        return not _names(node, with_variables=True)
    if any(child.kind == _LAMBDA for child in node.children):
        # Its variables are names of nothing but what it is given.
        return any(map(_makes_text, _below(node))) and not _names(node, with_variables=False)
    return False


def _makes_text(node: Parsed) -> bool:
    is_call = node.kind == "UnresolvedFunction" and node.text.lower() in MAKE_TEXT
    return is_call or node.kind == "Concat"


def _names(root: Parsed, *, with_variables: bool) -> bool:
    """Return whether a column is named below, or with variables one of a lambda function.

    What stands in ``typeof`` does not count: the type alone is asked.
    """
    pending: list[tuple[Parsed, frozenset[str]]] = [(root, frozenset())]
    while pending:
        node, variables = pending.pop()
        if node.kind == "UnresolvedAttribute":
            return True
        if node.kind == _VARIABLE and (with_variables or node.names[0] not in variables):
            return True
        if node.kind == _LAMBDA:
            variables |= {variable.names[0] for variable in node.children[1:]}
        if node.text.lower() != "typeof":
            pending.extend((child, variables) for child in node.children)
    return False


def _below(root: Parsed) -> Iterator[Parsed]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children)
