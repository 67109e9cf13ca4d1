"""An expression as Spark's parser reads it, brought to Python as a plain tree."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError

CATALYST = "org.apache.spark.sql.catalyst."
"""The package of Spark's own expressions."""

# As JSON these repeat what they hold, so that the text doubles with each one in another.
_REPEATED = ("CASE", "FILTER")
_MAX_REPEATED = 3
_COLUMNS = ("UnresolvedAttribute", "UnresolvedNamedLambdaVariable")
# As JSON the parts of a name are separated by a comma, and such a name has one in it.
_WITH_COMMA = re.compile("`[^`]*,[^`]*`")
# No text that was checked has this character.
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Parsed:
    """One node of the tree.

    Attributes:
        kind: Name of its Catalyst class; with the package where that is not Spark's.
        text: Name of a function or column; text of a string. Empty for others.
        names: Parts of a function's or column's name.
        type: Type of a literal or a cast.
        children: The nodes below.
    """

    kind: str
    text: str = ""
    names: tuple[str, ...] = ()
    type: str = ""
    children: list[Parsed] = field(default_factory=list)


def parse(spark: SparkSession, sql: str) -> Parsed:
    """Parse an expression with the session's parser. Nothing is looked up or computed.

    Raises:
        PySparkException: Spark cannot read it.
        Py4JJavaError: The same, for some versions and mistakes.
        ConfigError: The session is one of Spark Connect.
    """
    if not hasattr(spark, "_jsparkSession"):
        raise ConfigError("features of a bundle need a classic session, not one of Spark Connect")
    root = spark._jsparkSession.sessionState().sqlParser().parseExpression(sql)
    repeated = sum(sql.upper().count(word) for word in _REPEATED)
    if repeated > _MAX_REPEATED or _WITH_COMMA.search(sql):
        return _by_node(root)
    return _from_json(json.loads(root.toJSON()))


def _from_json(fields: list[dict[str, Any]]) -> Parsed:
    """Build the tree from its nodes, parents first, each with the number of its children."""
    top = Parsed("")
    open_nodes = [(top, 1)]
    for values in fields:
        node = _node(_kind(values["class"]), values)
        while len(open_nodes[-1][0].children) == open_nodes[-1][1]:
            open_nodes.pop()
        open_nodes[-1][0].children.append(node)
        open_nodes.append((node, values["num-children"]))
    return top.children[0]


def _by_node(root: Any) -> Parsed:
    """Build the tree node by node, which takes several calls to the JVM for each."""
    top = Parsed("")
    pending = [(root, top)]
    while pending:
        java, parent = pending.pop()
        kind = _kind(java.getClass().getName())
        if kind == "UnresolvedFunction" or kind in _COLUMNS:
            names = tuple(java.nameParts().mkString(_SEPARATOR).split(_SEPARATOR))
            node = Parsed(kind, ".".join(names), names)
        elif kind == "Literal":
            node = _node(kind, json.loads(java.toJSON())[0])
        else:
            node = Parsed(kind, type=java.dataType().typeName() if kind == "Cast" else "")
        parent.children.append(node)
        children = java.children()
        pending.extend((children.apply(at), node) for at in reversed(range(children.size())))
    return top.children[0]


def _kind(java_class: str) -> str:
    if not java_class.startswith(CATALYST):
        return java_class
    # An object's class ends in $, that of an anonymous subclass in $$anon$ and a number.
    return java_class.rpartition(".")[2].partition("$")[0]


def _node(kind: str, values: dict[str, Any]) -> Parsed:
    parts = values.get("nameParts")
    if parts is not None:
        names = tuple(str(parts).removeprefix("[").removesuffix("]").split(", "))
        return Parsed(kind, ".".join(names), names)
    known = values.get("dataType") if kind in ("Literal", "Cast") else None
    text = str(values.get("value")) if kind == "Literal" and known == "string" else ""
    # A type that holds others comes as an object.
    return Parsed(kind, text, type=known if isinstance(known, str) else json.dumps(known))
