"""Columns whose words Spark fills with blanks, found where they come from: CHAR(n) of a table.

A column keeps the mark of its type only as long as nothing is done with it. So the expressions
behind a column are followed back to the tables, whatever is between: ``fillna``, a union, a join
with ``USING``, a subquery, functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from spark_infer.spark.plans import attribute_id, items, kind_of
from spark_infer.spark.types import DECLARED, char_type

_FILLS = "readSidePadding"
_TRIMS = ("StringTrim", "StringTrimRight")
_OF_ITS_LAMBDA = ("ArrayTransform", "ZipWith", "TransformKeys", "TransformValues", "MapZipWith")
_PASS_FIELDS_ON = ("Alias", "If", "CaseWhen", "Coalesce", "KnownNotNull", "ScalarSubquery")
_ARE_NO_VALUES = ("WindowSpecDefinition", "SortOrder", "SpecifiedWindowFrame")
_WORDS = ("string", "binary", "variant")
"""Types that may hold a word, whole or in parts."""

_Fields = tuple[int, ...]


def padded_columns(df: DataFrame, words: Collection[str], made: Collection[str]) -> dict[str, str]:
    """Return which of some columns of a DataFrame come from words that Spark fills with blanks.

    What a user's own function makes of such words is the user's affair, and so are conditions on
    them in the query of the rows. A feature's are not: it was written for words.

    Args:
        df: The rows.
        words: Columns of it, each the only one of its name.
        made: Such columns that are features; they are the last ones, behind those of the rows.

    Returns:
        By the column's name the type of what fills it, such as ``char(5)``.
    """
    plan = df._jdf.queryExecution().analyzed()
    nodes = list(_nodes(plan))
    if not any(DECLARED in str(node.schema().json()) for node in nodes):
        return {}
    columns = {str(item.name()): item for item in items(plan.output())}
    given = {attribute_id(item) for name, item in columns.items() if name not in made}
    origins = _Origins(df.sparkSession.sparkContext._jvm, nodes, given)
    found = {name: origins.find(columns[name], name in made) for name in {*words, *made}}
    return {name: kind for name, kind in found.items() if kind is not None}


def _nodes(plan: Any) -> Iterator[Any]:
    """Yield the nodes of a plan and of its subqueries."""
    pending = [plan, *items(plan.subqueriesAll())]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(items(node.children()))


class _Part(NamedTuple):
    """A part of what a value comes from.

    Attributes:
        expression: An expression.
        fields: Ordinals that lead to the field of it that counts; none for all of it.
        is_made: Whether it stands in a feature, where conditions count too.
    """

    expression: Any
    fields: _Fields
    is_made: bool


class _Origins:
    """What each attribute of a plan comes from, by the number by which Spark knows it.

    Args:
        jvm: Spark's.
        nodes: The nodes of the plan.
        given: Attributes of the rows, which features read.
    """

    def __init__(self, jvm: Any, nodes: Sequence[Any], given: Collection[int]) -> None:
        self._jvm = jvm
        self._given = given
        self._definitions: dict[int, list[Any]] = {}
        shared = {int(n.id()): n for n in nodes if kind_of(n) == "CTERelationDef"}
        for node in nodes:
            for attribute, origin in _definitions(node, shared):
                self._definitions.setdefault(attribute_id(attribute), []).append(origin)

    def find(self, attribute: Any, is_made: bool) -> str | None:
        """Return the type of what fills words with blanks that an attribute comes from, or None."""
        # A list and no recursion: columns are made in long chains.
        pending = [_Part(attribute, (), is_made)]
        seen: set[tuple[int, _Fields, bool]] = set()
        while pending:
            part = pending.pop()
            kind = kind_of(part.expression)
            if kind in _ARE_NO_VALUES or "UDF" in kind or not (part.is_made or _holds_words(part)):
                continue
            if kind in ("AttributeReference", "NamedLambdaVariable"):
                number = attribute_id(part.expression)
                is_made = part.is_made and number not in self._given
                if (number, part.fields, is_made) in seen:
                    continue
                seen.add((number, part.fields, is_made))
                origins = self._definitions.get(number, [])
                declared = _declared(self._jvm, part) if not part.fields or not origins else None
                if declared is not None:
                    return declared
                pending += (_Part(origin, part.fields, is_made) for origin in origins)
            elif kind == "StaticInvoke" and part.expression.functionName() == _FILLS:
                return f"char({part.expression.arguments().apply(1).toString()})"
            else:
                pending += self._below(part, kind)
        return None

    def _below(self, part: _Part, kind: str) -> list[_Part]:
        """Return what the value of an expression comes from."""
        expression, fields = part.expression, part.fields
        children = list(items(expression.children()))
        if kind in _TRIMS and all(_is_blank(child) for child in children[1:]):
            return []
        if kind == "ScalarSubquery":
            children = [expression.plan().output().apply(0)]
        elif kind == "OuterReference":
            children = [expression.e()]
        elif kind == "LambdaFunction":
            children = [expression.function()]
        elif kind == "GetStructField":
            fields = (int(expression.ordinal()), *fields)
        elif kind == "CreateNamedStruct" and fields:
            children, fields = [children[2 * fields[0] + 1]], fields[1:]
        lambdas = [child for child in children if kind_of(child) == "LambdaFunction"]
        if lambdas:
            given = [child for child in children if kind_of(child) != "LambdaFunction"]
            for function in lambdas:
                for variable in items(function.arguments()):
                    self._definitions[attribute_id(variable)] = given
            children = lambdas if kind in _OF_ITS_LAMBDA else [*given, *lambdas]
        if kind not in (*_PASS_FIELDS_ON, "GetStructField", "CreateNamedStruct", "OuterReference"):
            fields = ()
        return [_Part(child, fields, part.is_made) for child in children]


def _holds_words(part: _Part) -> bool:
    kind = str(part.expression.dataType().catalogString())
    return any(name in kind for name in _WORDS)


def _is_blank(trimmed: Any) -> bool:
    return kind_of(trimmed) == "Literal" and set(str(trimmed.toString())) == {" "}


def _declared(jvm: Any, part: _Part) -> str | None:
    """Return the CHAR(n) that an attribute, or the field of it that counts, is declared to be."""
    utils = jvm.org.apache.spark.sql.catalyst.util.CharVarcharUtils
    found = utils.getRawType(part.expression.metadata())
    if not found.isDefined():
        return None
    kind = found.get()
    for ordinal in part.fields:
        if kind_of(kind) != "StructType":
            break
        kind = kind.apply(ordinal).dataType()
    return char_type(str(kind.catalogString()))


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
