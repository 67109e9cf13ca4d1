"""What Spark itself reads in the features of a bundle, checked before they are used.

``spark_infer.bundle.features`` checks the text without Spark. This check is the one that counts:
it looks at the expression that the session's own parser makes of the text, so that whatever the
two read differently opens no door.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from spark_infer.bundle.features import (
    AGGREGATES,
    FUNCTIONS,
    NEED_ARGUMENTS,
    SESSION_NAMES,
    WINDOW_ONLY,
    Refused,
    check_text,
    is_moment,
    refused,
)
from spark_infer.bundle.features.words import words
from spark_infer.errors import BundleError, ConfigError, SignatureError, nearest
from spark_infer.spark.failures import SPARK_FAILURES, reason
from spark_infer.spark.features.parsed import CATALYST, Parsed, parse

_COLUMNS = ("UnresolvedAttribute", "UnresolvedNamedLambdaVariable")
_CLASSES = words(
    """
    UnresolvedAttribute UnresolvedFunction UnresolvedExtractValue UnresolvedNamedLambdaVariable
    LambdaFunction Literal Cast Alias CreateNamedStruct CaseWhen Not And Or EqualTo EqualNullSafe
    LessThan LessThanOrEqual GreaterThan GreaterThanOrEqual Add Subtract Multiply Divide Remainder
    IntegralDivide UnaryMinus UnaryPositive BitwiseAnd BitwiseOr BitwiseXor BitwiseNot Concat In
    Like ILike RLike LikeAll LikeAny NotLikeAll NotLikeAny IsNull IsNotNull IsUnknown IsNotUnknown
    TimestampAdd TimestampDiff WindowExpression WindowSpecDefinition SpecifiedWindowFrame SortOrder
    CurrentRow UnboundedPreceding UnboundedFollowing UnspecifiedFrame
    """
)
# Operators that Spark's parser makes calls of.
_OPERATORS = frozenset({"between"})
_MUST_HAVE_WINDOW = AGGREGATES | WINDOW_ONLY


def check_expressions(
    spark: SparkSession, features: Mapping[str, str], columns: Collection[str] | None = None
) -> None:
    """Check what Spark reads in the features of a bundle.

    Args:
        spark: The session whose parser reads them.
        features: Expressions by name.
        columns: The source columns, where they are known: a name that is none of them would be
            looked up among the session's functions and variables.

    Raises:
        BundleError: An expression is more than a computation from columns.
        SignatureError: Spark cannot read it, or a column is missing.
        ConfigError: The session's functions or variables do not let features be used.
    """
    if not features:
        return
    names = _Names.of(spark, features, columns)
    called: set[str] = set()
    for feature, sql in features.items():
        try:
            check_text(sql)
            called |= _check(parse(spark, sql), names)
        except Refused as error:
            raise BundleError(refused(feature, sql, str(error))) from None
        except SignatureError as error:
            raise SignatureError(refused(feature, sql, str(error))) from None
        except SPARK_FAILURES as error:
            raise SignatureError(refused(feature, sql, reason(error))) from None
    _check_built_in(spark, called)


def _check(root: Parsed, names: _Names) -> set[str]:
    """Check the tree of one expression; return the functions that it calls."""
    called = set()
    for node, parent, index, variables in _walk(root):
        if node.kind not in _CLASSES:
            raise Refused(f"Spark reads a part of it as {node.kind}, which a bundle may not use")
        if node.kind == "Alias" and (parent is None or parent.kind != "CreateNamedStruct"):
            raise Refused("AS is for the fields of a struct only")
        if node.kind == "Literal" and is_moment(node.text):
            raise Refused(f"{node.text!r} is the time of the run as a date or timestamp")
        if node.kind in _COLUMNS:
            names.check(node.text, variables)
        if node.kind == "UnresolvedFunction":
            has_window = parent is not None and parent.kind == "WindowExpression" and index == 0
            _check_call(node, has_window)
            called.add(node.text.lower())
    return called


def _walk(root: Parsed) -> Iterator[tuple[Parsed, Parsed | None, int, frozenset[str]]]:
    """Yield each node, its parent, its place there and the variables of the lambdas around it."""
    pending: list[tuple[Parsed, Parsed | None, int, frozenset[str]]] = [
        (root, None, 0, frozenset())
    ]
    while pending:
        node, parent, index, variables = pending.pop()
        yield node, parent, index, variables
        if node.kind == "LambdaFunction":
            variables |= {variable.text for variable in node.children[1:]}
        pending.extend((child, node, at, variables) for at, child in enumerate(node.children))


def _check_call(node: Parsed, has_window: bool) -> None:
    name = node.text.lower()
    if name not in FUNCTIONS and name not in _OPERATORS:
        raise Refused(f"the function {node.text} is not one that a bundle may call")
    if name in NEED_ARGUMENTS and not node.children:
        raise Refused(f"{node.text}() without an argument is the time of the run")
    if name in _MUST_HAVE_WINDOW and not has_window:
        raise Refused(f"{node.text}() makes one row of many unless OVER (...) follows it")


@dataclass(frozen=True)
class _Names:
    """Which names a feature may read.

    Attributes:
        columns: The source columns by folded name; None where they are not known.
        folded: Whether names differ in more than upper and lower case.
        others: Folded names that lead to something else than a column in front of a dot.
    """

    columns: Mapping[str, str] | None
    folded: bool
    others: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, spark: SparkSession, features: Collection[str], columns: Collection[str] | None
    ) -> _Names:
        folded = spark.conf.get("spark.sql.caseSensitive", "false") != "true"
        if columns is None:
            _check_no_variables(spark)
            return cls(None, folded)
        others = frozenset({"session", "system", *(name.casefold() for name in features)})
        return cls({name.casefold() if folded else name: name for name in columns}, folded, others)

    def check(self, text: str, variables: frozenset[str]) -> None:
        """Check a name, whose parts are separated by a comma and a space."""
        first, *others = text.split(", ")
        if first in variables:
            return
        if self.columns is None:
            # As Spark compares: a long s is an s for it, and an i one with or without its dot.
            name = first.upper().casefold().replace("\u0307", "")
            if name == "_metadata" or (name in SESSION_NAMES and not others):
                raise Refused(
                    f"{first} can tell about the session, the file or the time of the run; rename "
                    "the column, or use predict, which knows the columns"
                )
            return
        folded = text.casefold() if self.folded else text
        parts = folded.split(", ")
        is_column = any(", ".join(parts[:end]) in self.columns for end in range(1, len(parts) + 1))
        # A column may have the name of its table or of an alias in front.
        is_qualified = parts[0].casefold() not in self.others and any(
            part in self.columns for part in parts[1:]
        )
        if not is_column and not is_qualified:
            name = text.replace(", ", ".")
            raise SignatureError(
                f"the source has no column {name!r}{nearest(name, self.columns.values())}"
            )


def _check_no_variables(spark: SparkSession) -> None:
    if int(spark.version.partition(".")[0]) < 4:
        return  # It has none.
    variables = spark._jsparkSession.sessionState().catalogManager().tempVariableManager()
    if not variables.isEmpty():
        raise ConfigError(
            "this session has SQL variables (DECLARE), and a bundle's features could read them "
            "where a column is missing; drop them, use predict, or pass the columns"
        )


def _check_built_in(spark: SparkSession, called: set[str]) -> None:
    """Check that nobody has put a function of the session in the place of a built-in one."""
    catalog = spark._jsparkSession.sessionState().catalog()
    for name in sorted(called):
        found = catalog.lookupBuiltinOrTempFunction(name)
        if not found.isDefined():
            raise SignatureError(
                f"Spark {spark.version} has no built-in function {name}, which the bundle's "
                "features call; use a newer Spark"
            )
        if not str(found.get().getClassName()).startswith(CATALYST):
            raise ConfigError(
                f"this session has a function of its own called {name}, and the bundle's features "
                f"mean Spark's; register yours under another name (DROP TEMPORARY FUNCTION {name})"
            )
