"""Settings of a session by which a bundle's features would mean something else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError

_ANSI = "spark.sql.ansi.enabled"


class _Rule(NamedTuple):
    """A setting that gives something another meaning.

    Attributes:
        setting: Its name.
        pattern: What has another meaning.
        what: The same in words.
        other: The value of the setting by which it has; in lower case.
        usual: The value by which it has not.
        unset: Spark's own value, where that is not the usual one.
        advice: What else may be done.
        unless: A setting that undoes this one where it is true.
    """

    setting: str
    pattern: re.Pattern[str]
    what: str
    other: str = "true"
    usual: str = "false"
    unset: str = ""
    advice: str = ""
    unless: str = ""


def _calls(names: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(names.split())})`?\s*\(", re.IGNORECASE)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_LEGACY = "spark.sql.legacy."
_ARITHMETIC = _words(r"[-+*/%]|\b(?:div|mod|pmod|try_(?:add|subtract|multiply|divide|mod))\b")
_RULES = (
    _Rule("spark.sql.ansi.doubleQuotedIdentifiers", re.compile('"'), "text in double quotes"),
    _Rule("spark.sql.parser.escapedStringLiterals", re.compile(r"\\"), "backslashes in texts"),
    _Rule(
        f"{_LEGACY}consecutiveStringLiterals.enabled",
        re.compile(r"""['"]\s*['"]"""),
        "quotes one after the other",
    ),
    _Rule(
        f"{_LEGACY}exponentLiteralAsDecimal.enabled",
        re.compile(r"[0-9.][eE]"),
        "numbers with an exponent",
    ),
    _Rule(
        f"{_LEGACY}sizeOfNull",
        _calls("size cardinality"),
        "calls of size or cardinality",
        unset="true",
        advice="use array_size (of map_keys for a map), which is null for null",
        unless=_ANSI,
    ),
    _Rule(f"{_LEGACY}negativeIndexInArrayInsert", _calls("array_insert"), "calls of array_insert"),
    _Rule(
        f"{_LEGACY}followThreeValuedLogicInArrayExists",
        _calls("exists"),
        "calls of exists",
        other="false",
        usual="true",
    ),
    _Rule(
        f"{_LEGACY}allowNullComparisonResultInArraySort",
        _calls("array_sort"),
        "calls of array_sort",
    ),
    _Rule(
        f"{_LEGACY}statisticalAggregate",
        _calls(r"std stddev\w* var\w* covar\w* corr skewness kurtosis regr_\w+"),
        "statistics",
    ),
    _Rule(f"{_LEGACY}lpadRpadAlwaysReturnString", _calls("lpad rpad"), "calls of lpad or rpad"),
    _Rule(f"{_LEGACY}truncateForEmptyRegexSplit", _calls("split"), "calls of split"),
    _Rule(f"{_LEGACY}codingErrorAction", _calls("encode decode"), "calls of encode or decode"),
    _Rule(f"{_LEGACY}javaCharsets", _calls("encode decode"), "calls of encode or decode"),
    _Rule(f"{_LEGACY}collationAwareHashFunctions", _calls("hash xxhash64"), "calls of a hash"),
    _Rule(f"{_LEGACY}disableMapKeyNormalization", _calls(r"map\w* transform_keys"), "maps"),
    _Rule(
        "spark.sql.mapKeyDedupPolicy",
        _calls(r"map\w* transform_keys str_to_map"),
        "maps",
        other="last_win",
        usual="EXCEPTION",
    ),
    _Rule(
        f"{_LEGACY}timeParserPolicy",
        _calls(r"date_format from_unixtime \w*to_date \w*to_timestamp\w* \w*unix_timestamp"),
        "patterns of times",
        other="legacy",
        usual="CORRECTED",
    ),
    _Rule(
        "spark.sql.timestampType",
        # Such as CAST(x AS MAP<STRING, STRUCT<a: TIMESTAMP, b TIMESTAMP>>), and no column's name.
        _words(
            r"\btimestamp\s*['(\"]|\bas\s+timestamp\b|[:<]\s*timestamp\b|\btimestamp\s*>"
            r"|\w\s+timestamp\s*,|\b(?:(?:try_)?to|make)_timestamp\s*\("
        ),
        "timestamps",
        other="timestamp_ntz",
        usual="TIMESTAMP_LTZ",
        advice="name the type, as to_timestamp_ltz does",
    ),
    _Rule(f"{_LEGACY}interval.enabled", _words("interval|-"), "intervals or differences"),
    _Rule(f"{_LEGACY}fromDayTimeString.enabled", _words("interval"), "intervals"),
    _Rule(
        f"{_LEGACY}typeCoercion.datetimeToString.enabled",
        _words(r"[<>=]|\b(?:between|in)\b"),
        "comparisons",
        unless=_ANSI,
    ),
    _Rule(
        f"{_LEGACY}castComplexTypesToString.enabled",
        _words(r"\bas\s+string\b|::\s*string\b|\bstring\s*\("),
        "casts to string",
    ),
    _Rule(
        "spark.sql.decimalOperations.allowPrecisionLoss",
        _ARITHMETIC,
        "arithmetic",
        other="false",
        usual="true",
    ),
    _Rule(
        f"{_LEGACY}decimal.retainFractionDigitsOnTruncate",
        _words(r"[-+*/%<>=(]|\b(?:case|in|between|div)\b"),
        "operations on numbers",
    ),
    _Rule(
        f"{_LEGACY}allowNegativeScaleOfDecimal",
        _words(r"[0-9.]e\+?[0-9]+bd\b"),
        "decimals with an exponent",
    ),
    _Rule(
        f"{_LEGACY}createEmptyCollectionUsingStringType",
        _words(r"\b(?:array|map)`?\s*\(\s*\)"),
        "empty arrays or maps",
    ),
    _Rule(
        f"{_LEGACY}literal.pickMinimumPrecision",
        _ARITHMETIC,
        "arithmetic",
        other="false",
        usual="true",
    ),
    _Rule(
        f"{_LEGACY}charVarcharAsString", _words(r"[<>=]|\b(?:between|in)\b"), "comparisons of texts"
    ),
    _Rule(
        "spark.sql.icu.caseMappings.enabled",
        _words(r"\b(?:upper|ucase|lower|lcase|initcap)`?\s*\(|\bilike\b"),
        "upper, lower, initcap or ILIKE",
        other="false",
        usual="true",
    ),
    _Rule("spark.sql.function.concatBinaryAsString", _words(r"\bconcat\b|\|\|"), "concatenations"),
    _Rule("spark.sql.function.eltOutputAsString", _calls("elt"), "calls of elt"),
    _Rule(
        "spark.sql.jsonGenerator.ignoreNullFields",
        _calls("to_json"),
        "calls of to_json",
        other="false",
        usual="true",
    ),
    _Rule(
        "spark.sql.chunkBase64String.enabled",
        _calls("base64"),
        "calls of base64",
        other="false",
        usual="true",
    ),
)


def check_settings(spark: SparkSession, features: Mapping[str, str]) -> None:
    """Check that a session reads features as they were meant, which is by Spark's own settings.

    What ANSI says is left to the session: how arithmetic and casts overflow, and what Spark makes
    of texts where they meet numbers and dates.

    Raises:
        ConfigError: It does not.
    """
    for rule in _in_force(spark):
        for name, expression in features.items():
            if rule.pattern.search(expression):
                off = f" while {rule.unless} is false" if rule.unless else ""
                advice = f", or {rule.advice}" if rule.advice else ""
                raise ConfigError(
                    f"the bundle's feature {name!r} has {rule.what}, and {rule.setting} gives them "
                    f"another meaning{off}; set it to {rule.usual}{advice}"
                )


def _in_force(spark: SparkSession) -> Iterator[_Rule]:
    """Yield the rules that the settings of a Spark session bring about."""
    for rule in _RULES:
        # Of a setting that nobody has set, the session returns what is given here.
        value = spark.conf.get(rule.setting, rule.unset or rule.usual)
        if str(value).strip().lower() != rule.other:
            continue
        if not rule.unless or str(spark.conf.get(rule.unless)).strip().lower() != "true":
            yield rule
