"""What Spark itself reads in the features of a bundle, checked before they are used.

``spark_infer.bundle.features`` checks the text without Spark. This check is the one that counts:
it looks at the expression that the session's own parser makes of the text, so that whatever the
two read differently opens no door.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle.columns import instead
from spark_infer.bundle.features import (
    AGGREGATES,
    FUNCTIONS,
    NEED_ARGUMENTS,
    SESSION_NAMES,
    WINDOW_ONLY,
    Refused,
    check_expression,
    check_text,
    not_listed,
    refused,
)
from spark_infer.bundle.features.words import words
from spark_infer.errors import BundleError, ConfigError, SignatureError
from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.features.built_in import check_built_in
from spark_infer.spark.features.moments import check_moments, is_typed
from spark_infer.spark.features.parsed import Parsed, parse
from spark_infer.spark.features.settings import check_settings
from spark_infer.spark.names import Names
from spark_infer.spark.wire import by_name

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
    spark: SparkSession,
    features: Mapping[str, str],
    columns: Collection[str] | None = None,
    df: DataFrame | None = None,
) -> set[str]:
    """Check what Spark reads in the features of a bundle.

    Args:
        spark: The session whose parser reads them.
        features: Expressions by name.
        columns: The source columns, where they are known: a name that is none of them would be
            looked up among the session's functions and variables.
        df: The rows, whose tables and aliases have names as well.

    Returns:
        Those features, by name, with a text that Spark's plan may take for the time of the run.
        None where the columns are not known: such features are refused.

    Raises:
        BundleError: An expression is more than a computation from columns.
        SignatureError: Spark cannot read it, or a column is missing.
        ConfigError: The session's functions or variables do not let features be used.
    """
    if not features:
        return set()
    check_settings(spark, features)
    names = _Names.of(spark, columns, df)
    called: set[str] = set()
    doubtful: set[str] = set()
    for feature, sql in features.items():
        try:
            check_text(sql)
            with spark_failures("", kind=SignatureError):
                root = parse(spark, sql)
            called |= _check(root, names)
            if check_moments(root, is_typed_later=columns is not None):
                doubtful.add(feature)
            if any(is_typed(node) for node, *_ in _walk(root)):
                # The parser has put a value in the place of the text.
                check_expression(sql)
        except Refused as error:
            raise BundleError(refused(feature, sql, str(error))) from None
        except SignatureError as error:
            raise SignatureError(refused(feature, sql, str(error))) from None
    check_built_in(spark, called)
    return doubtful


def _check(root: Parsed, names: _Names) -> set[str]:
    """Check the tree of one expression; return the functions that it calls."""
    called = set()
    for node, parent, index, variables in _walk(root):
        if node.kind == "UnresolvedRegex":
            raise ConfigError(
                "the Spark session reads names in backticks as patterns of names, and the "
                "bundle's features have such names; set "
                "spark.sql.parser.quotedRegexColumnNames to false"
            )
        if node.kind not in _CLASSES:
            raise Refused(f"Spark reads a part of it as {node.kind}, which a bundle may not use")
        if node.kind == "Alias" and (parent is None or parent.kind != "CreateNamedStruct"):
            raise Refused("AS is for the fields of a struct only")
        if node.kind in _COLUMNS:
            names.check(node, variables)
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
            variables |= {variable.names[0] for variable in node.children[1:]}
        pending.extend((child, node, at, variables) for at, child in enumerate(node.children))


def _check_call(node: Parsed, has_window: bool) -> None:
    name = node.text.lower()
    if name not in FUNCTIONS and name not in _OPERATORS:
        raise Refused(
            f"the function {node.text} is not one that a bundle may call; {not_listed(name)}"
        )
    if name in NEED_ARGUMENTS and not node.children:
        raise Refused(f"{node.text}() without an argument is the time of the run")
    if name in _MUST_HAVE_WINDOW and not has_window:
        raise Refused(f"{node.text}() makes one row of many unless OVER (...) follows it")


@dataclass(frozen=True)
class _Names:
    """Which names a feature may read.

    Attributes:
        rule: How the session tells names apart.
        columns: The source columns by key; None where they are not known.
        df: The rows, where they are known.
    """

    rule: Names
    columns: Mapping[str, Sequence[str]] | None
    df: DataFrame | None

    @classmethod
    def of(
        cls, spark: SparkSession, columns: Collection[str] | None, df: DataFrame | None
    ) -> _Names:
        rule = Names.of_session(spark)
        if columns is None:
            _check_no_variables(spark)
            return cls(rule, None, None)
        return cls(rule, rule.index(columns), df)

    def check(self, node: Parsed, variables: frozenset[str]) -> None:
        """Check the name of a column or of a lambda function's variable.

        What follows the first part is a field of that column, unless a table of its name has a
        column of the field's, which Spark would rather read. Anything else in front of a dot could
        lead elsewhere: to a variable of the session, another feature or the file that is read.
        """
        first, *others = node.names
        if first in variables:
            return
        if self.columns is None:
            # As Spark compares: a long s is an s for it, and an i one with or without its dot.
            folded = [name.upper().casefold().replace("\u0307", "") for name in node.names]
            if "_metadata" in folded or (folded[0] in SESSION_NAMES and not others):
                raise Refused(
                    f"{node.text} can tell about the session, the file or the time of the run; "
                    "rename the column, or use predict, which knows the columns"
                )
            if others:
                raise Refused(
                    f"{node.text} is a field, or a column of a table of the name {first!r}; write "
                    f"{first}[{others[0]!r}] into the feature, or use predict, which knows the rows"
                )
        elif self.rule.key(first) not in self.columns:
            spelled = [name for names in self.columns.values() for name in names]
            behind = [name for name in others if self.rule.key(name) in self.columns]
            hint = f"; write {behind[0]} without a table" if behind else instead(first, spelled)
            raise SignatureError(f"the source has no column {first!r}{hint}")
        elif others and self._is_of_a_table(node.names):
            raise SignatureError(
                f"{node.text} is a field of column {first!r}, and a column of the table or alias "
                f"of that name, which Spark would read; give the rows another alias, or write "
                f"{first}[{others[0]!r}] into the feature"
            )

    def _is_of_a_table(self, parts: Sequence[str]) -> bool:
        """Tell whether a name is, or begins with, that of a column with its table's before it."""
        if self.df is None:
            return False
        name = [self.rule.key(part) for part in parts]
        output = self.df._jdf.queryExecution().analyzed().output()
        for at in range(output.size()):
            column = output.apply(at)
            of_table = column.qualifier()
            table = [self.rule.key(of_table.apply(at)) for at in range(of_table.size())]
            for start in range(len(table)):
                full = [*table[start:], self.rule.key(column.name())]
                if name[: len(full)] == full:
                    return True
        return False


def check_names(spark: SparkSession, columns: Collection[str]) -> None:
    """Check that columns which nobody has looked for yet can be nothing but columns.

    Where the rows lack a column, Spark takes its name for a function or a variable of the session.

    Raises:
        ConfigError: The session has another meaning for one of the names.
    """
    has_variables = _has_variables(spark)
    for name in columns:
        what = None
        if name.lower() in SESSION_NAMES:
            what = "something that Spark tells of the session, the file or the time"
        elif has_variables and _is_variable(spark, name):
            what = "a SQL variable of the session"
        if what is not None:
            raise ConfigError(
                f"column {name!r} is also {what}, which would be read where the rows lack it; pass "
                f"the column (df[{name!r}]), or use predict, which looks for it"
            )


def _is_variable(spark: SparkSession, name: str) -> bool:
    try:
        spark.sql(f"SELECT {by_name(name, 'system', 'session')}")
    except SPARK_FAILURES:
        return False
    return True


def _has_variables(spark: SparkSession) -> bool:
    if int(spark.version.partition(".")[0]) < 4:
        return False
    variables = spark._jsparkSession.sessionState().catalogManager().tempVariableManager()
    return not variables.isEmpty()


def _check_no_variables(spark: SparkSession) -> None:
    if _has_variables(spark):
        raise ConfigError(
            "the Spark session has SQL variables (DECLARE), and a bundle's features could read "
            "them where a column is missing; drop them, use predict, or pass the columns"
        )
