"""Files as a job's source, read as strictly as Spark can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    MapType,
    StructField,
    StructType,
)

from spark_infer.errors import ConfigError, nearest, some
from spark_infer.spark.failures import SPARK_FAILURES, silent, spark_failures
from spark_infer.spark.names import Names
from spark_infer.spark.wire import by_name
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.misread import Misread
from spark_infer.warehouse.reading.relations import MARK
from spark_infer.warehouse.reading.texts import OF_TEXT, strict_options

_WITH_SCHEMA = ("parquet", "orc")
"""Formats whose files say in their footers which columns they have."""
_BY_POSITION = "_col"
"""How all columns of ORC files are called that Spark reads by position."""


def read_files(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """Open files; their footers or headers are read, and what it takes to infer types.

    Spark takes null for a value that is not of its column's type, makes 15 of the decimal 1,5 and
    other values of what ``Misread`` tells of, ignores that a row of a CSV file is too long or too
    short where not all columns are read, and its header where the columns are declared (or another
    file's is found), and takes null for a declared column that no file has. Here all but the last
    stop the run when they are read, unless ``options`` say otherwise, and the last does at once for
    Parquet and ORC. The keys of JSON are found in the data only, so one that a file lacks, or
    spells in another case, is null.

    Raises:
        ConfigError: The schema is no SQL, or names a column that no file has.
        AnalysisException: What else Spark does not like.
    """
    df = _opened(spark, source)
    says_mode = any(name.lower() == "mode" for name in source.options)
    if source.format.lower() in OF_TEXT and not says_mode:
        return _as_written(spark, source, df)
    return df


def _opened(spark: SparkSession, source: SourceConfig) -> DataFrame:
    assert source.path is not None
    reader = _reader(spark, source)
    if source.schema is None:
        df = reader.load(source.path)
        if _is_header_checked(source) and _are_as_in_header(df.columns):
            # Of several files, those with another header.
            return reader.schema(df.schema).option("enforceSchema", "false").load(source.path)
        return df
    hint = "declare the columns as in CREATE TABLE, such as: id BIGINT, amount DOUBLE, day DATE"
    with spark_failures(f"source.schema ({source.schema})", hint, ConfigError):
        df = reader.schema(source.schema).load(source.path)
    if source.format.lower() in _WITH_SCHEMA:
        _check_declared(spark, source, df.schema)
    elif _is_header_checked(source):
        return reader.option("enforceSchema", "false").load(source.path)
    return df


def _reader(spark: SparkSession, source: SourceConfig) -> DataFrameReader:
    reader = spark.read.format(source.format).options(**MARK)
    if source.format.lower() in OF_TEXT:
        reader = reader.options(**strict_options(spark))
    return reader.options(**source.options)


def _as_written(spark: SparkSession, source: SourceConfig, df: DataFrame) -> DataFrame:
    """Read what Spark's own reader would make other values of as other types, and cast it."""
    assert source.path is not None
    form = source.format.lower()
    misread = Misread(form, _keeps_digits(spark), *_file(form, df))
    if not any(misread.reason(field.dataType) for field in df.schema):
        return df
    fields = [StructField(field.name, misread.kept_as(field.dataType)) for field in df.schema]
    reader = _reader(spark, source).schema(StructType(fields))
    if _is_header_checked(source) and (source.schema is not None or _are_as_in_header(df.columns)):
        reader = reader.option("enforceSchema", "false")
    texts = reader.load(source.path)
    return texts.select(
        *(
            F.expr(misread.restored(by_name(field.name), field.dataType, field.name)).alias(
                field.name
            )
            for field in df.schema
        )
    )


def _file(form: str, df: DataFrame) -> Iterator[str]:
    """Yield SQL for the file of a row where Spark's messages have it, unless a column hides it."""
    if form == "xml" and not any(name.lower() == "_metadata" for name in df.columns):
        yield "concat('file ', _metadata.file_path)"


def _keeps_digits(spark: SparkSession) -> bool:
    """Tell whether Spark hands over a number of JSON as the text that stands in the file."""
    with suppress(*SPARK_FAILURES), silent():
        # Without a default of ours, which would be returned in the place of Spark's.
        return str(spark.conf.get("spark.sql.json.enableExactStringParsing")).lower() == "true"
    return False  # This Spark has no such setting.


def _is_header_checked(source: SourceConfig) -> bool:
    """Tell whether CSV files have headers, about which the options do not say what to do."""
    options = {name.lower(): value.lower() for name, value in source.options.items()}
    is_csv = source.format.lower() == "csv"
    return is_csv and options.get("header") == "true" and "enforceschema" not in options


def _are_as_in_header(columns: list[str]) -> bool:
    """Tell whether Spark did not have to make names: _c0 for none, a0 and a2 for two of a."""
    numbered = enumerate(columns)
    stems = Counter(name.lower().removesuffix(str(place)) for place, name in numbered)
    return "_c" not in stems and max(stems.values(), default=0) < 2


def _check_declared(spark: SparkSession, source: SourceConfig, declared: StructType) -> None:
    """Raise ConfigError for a declared column that no file has.

    The footer of one file is read, and those of all where it lacks a column.
    """
    names = Names.of_session(spark)
    found = _found(spark, source)
    missing = [] if found is None else list(_missing(declared, found, names))
    if not missing:
        return
    before = f"source.schema: one of the files lacks {some(missing)}, and whether others do not"
    hint = "make them a table (CREATE TABLE ... USING ... LOCATION) and give source.table"
    with spark_failures(f"{before} cannot be told", hint):
        found = _found(spark, source, mergeSchema="true")
    missing = [] if found is None else list(_missing(declared, found, names))
    if found is not None and missing:
        raise ConfigError(
            f"source.schema: no file of {source.path!r} has {some(missing)}"
            f"{nearest(missing[0][1:-1], found.names)}; correct the name, or leave it out"
        )


def _found(spark: SparkSession, source: SourceConfig, **options: str) -> StructType | None:
    """Return the columns that files have; None where there are no files, or no names in them."""
    assert source.path is not None
    try:
        found = _reader(spark, source).options(**options).load(source.path).schema
    except AnalysisException as error:
        if "UNABLE_TO_INFER_SCHEMA" in str(error):
            return None
        raise
    return None if all(name.startswith(_BY_POSITION) for name in found.names) else found


def _missing(declared: DataType, found: DataType, names: Names, within: str = "") -> Iterator[str]:
    """Yield the declared columns, and fields in them, that are not found."""
    if isinstance(declared, StructType) and isinstance(found, StructType):
        for field in declared.fields:
            path = f"{within}.{field.name}" if within else field.name
            spelled = names.find(field.name, found.names)
            if not spelled:
                yield repr(path)
            for name in spelled[:1]:
                yield from _missing(field.dataType, found[name].dataType, names, path)
    elif isinstance(declared, ArrayType) and isinstance(found, ArrayType):
        yield from _missing(declared.elementType, found.elementType, names, within)
    elif isinstance(declared, MapType) and isinstance(found, MapType):
        yield from _missing(declared.keyType, found.keyType, names, within)
        yield from _missing(declared.valueType, found.valueType, names, within)
