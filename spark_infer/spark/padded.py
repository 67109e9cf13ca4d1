"""Columns whose words Spark fills with blanks, found where they come from: CHAR(n) of a table.

A column keeps the mark of its type only as long as nothing is done with it. So the expressions
behind a column are followed back to the tables, whatever is between: ``fillna``, a union, a join
with ``USING``, a subquery, functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField

from spark_infer.spark.plans import attribute_id, items, kind_of
from spark_infer.spark.types import DECLARED, char_type

_FILLS = "readSidePadding"
_TRIMS = ("StringTrim", "StringTrimRight")
_OF_ITS_LAMBDA = ("ArrayTransform", "ZipWith", "TransformKeys", "TransformValues", "MapZipWith")
_PASS_FIELDS_ON = ("Alias", "If", "CaseWhen", "Coalesce", "KnownNotNull", "ScalarSubquery")

_Fields = tuple[int, ...]


def padded_columns(df: DataFrame, fields: Sequence[StructField]) -> dict[str, str]:
    """Return which of some columns of a DataFrame hold words that Spark fills with blanks.

    What a user's own function makes of such words is the user's affair.

    Args:
        df: The rows.
        fields: Columns of it, each the only one of its name.

    Returns:
        By the column's name the type of what fills it, such as ``char(5)``.
    """
    names = {field.name for field in fields}
    plan = df._jdf.queryExecution().analyzed()
    nodes = list(_nodes(plan))
    if not any(DECLARED in str(node.schema().json()) for node in nodes):
        return {}
    origins = _Origins(nodes)
    columns = [(str(item.name()), item) for item in items(plan.output())]
    found = {name: origins.find(item) for name, item in columns if name in names}
    return {name: kind for name, kind in found.items() if kind is not None}


def _nodes(plan: Any) -> Iterator[Any]:
    """Yield the nodes of a plan and of its subqueries."""
    pending = [plan, *items(plan.subqueriesAll())]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(items(node.children()))


class _Origins:
    """What each attribute of a plan comes from, by the number by which Spark knows it."""

    def __init__(self, nodes: Sequence[Any]) -> None:
        self._definitions: dict[int, list[Any]] = {}
        self._seen: set[tuple[int, _Fields]] = set()
        shared = {int(n.id()): n for n in nodes if kind_of(n) == "CTERelationDef"}
        for node in nodes:
            for attribute, origin in _definitions(node, shared):
                self._definitions.setdefault(attribute_id(attribute), []).append(origin)

    def find(self, attribute: Any) -> str | None:
        """Return the type of what fills an attribute's words with blanks, or None."""
        self._seen.clear()
        return self._find(attribute, ())

    def _find(self, expression: Any, fields: _Fields) -> str | None:
        """Return it for an expression, or for the field of it to which some ordinals lead."""
        kind = kind_of(expression)
        if "string" not in expression.dataType().catalogString() or "UDF" in kind:
            return None
        if kind in ("AttributeReference", "NamedLambdaVariable"):
            return self._find_attribute(expression, fields)
        children = list(items(expression.children()))
        if kind in _TRIMS and all(str(blank.toString()).isspace() for blank in children[1:]):
            return None
        if kind == "StaticInvoke" and expression.functionName() == _FILLS:
            return f"char({children[1].toString()})"
        if kind == "ScalarSubquery":
            children = [expression.plan().output().apply(0)]
        elif kind == "OuterReference":
            children = [expression.e()]
        if kind == "GetStructField":
            fields = (int(expression.ordinal()), *fields)
        elif kind == "CreateNamedStruct" and fields:
            children, fields = [children[2 * fields[0] + 1]], fields[1:]
        elif kind not in _PASS_FIELDS_ON:
            fields = ()
        return self._first(self._of_lambdas(kind, children), fields)

    def _of_lambdas(self, kind: str, children: list[Any]) -> list[Any]:
        """Return what a value comes from: of a function that calls others also their results."""
        lambdas = [child for child in children if kind_of(child) == "LambdaFunction"]
        given = [child for child in children if kind_of(child) != "LambdaFunction"]
        for function in lambdas:
            for variable in items(function.arguments()):
                self._definitions[attribute_id(variable)] = given
        results = [function.function() for function in lambdas]
        return results if kind in _OF_ITS_LAMBDA else [*given, *results]

    def _find_attribute(self, attribute: Any, fields: _Fields) -> str | None:
        key = (attribute_id(attribute), fields)
        if key in self._seen:
            return None
        self._seen.add(key)
        origins = self._definitions.get(key[0], [])
        if not fields or not origins:
            declared = char_type(json.loads(str(attribute.metadata().json())))
            if declared is not None:
                return declared
        return self._first(origins, fields)

    def _first(self, expressions: Sequence[Any], fields: _Fields) -> str | None:
        found = (self._find(expression, fields) for expression in expressions)
        return next((kind for kind in found if kind is not None), None)


def _definitions(node: Any, shared: Mapping[int, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield attributes that a node of a plan makes, each with what it comes from.

    Args:
        node: The node.
        shared: The queries of ``WITH`` by number.
    """
    kind = kind_of(node)
    if kind in ("Union", "UnionLoop"):
        for child in items(node.children()):
            yield from zip(items(node.output()), items(child.output()), strict=True)
    elif kind == "CTERelationRef":
        yield from zip(items(node.output()), items(shared[int(node.cteId())].output()), strict=True)
    elif kind == "Expand":
        for projection in items(node.projections()):
            yield from zip(items(node.output()), items(projection), strict=True)
    elif kind == "Generate":
        yield from ((attribute, node.generator()) for attribute in items(node.generatorOutput()))
    else:
        for expression in items(node.expressions()):
            if kind_of(expression) == "Alias":
                yield expression, expression
