"""Refuse to read what files hold as what it is not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from spark_infer.errors import WarehouseError
from spark_infer.spark.names import Names
from spark_infer.spark.scan import NotDirect
from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.plan.planned import MAX_FILES
from spark_infer.spark.stored.scans import FileScan, file_scans
from spark_infer.spark.stored.types import Fit, Misfit

_THREADS = 16
_BY_POSITION = "_col"
"""How all columns of ORC files are called that Spark reads by position."""


def check_stored_types(df: DataFrame) -> None:
    """Prove that Spark reads a DataFrame's Parquet and ORC files as the values that they hold.

    The footers of all files are read. A file that cannot be opened here (another file system,
    encrypted) is left to Spark, and so are more than 10,000 of them.

    Raises:
        WarehouseError: A column that is read is of a type that does not hold a file's values.
    """
    if df.isStreaming:
        return
    hadoop = df.sparkSession._jsparkSession.sessionState().newHadoopConf()
    names = Names.of_session(df.sparkSession)
    for scan in file_scans(df):
        files = list(islice(_files(scan, hadoop), MAX_FILES + 1))
        if len(files) > MAX_FILES:
            continue
        with ThreadPoolExecutor(_THREADS) as threads:
            found = list(threads.map(partial(_misfit, scan, names), files))
        for (_, path), misfit in zip(files, found, strict=True):
            if misfit is not None:
                raise _refused(path, misfit)


def _files(scan: FileScan, hadoop: Any) -> Iterator[tuple[Any, str]]:
    """Yield pyarrow's file system and the path in it of each file that it opens."""
    opened: dict[tuple[str, str], Any] = {}
    for uri in scan.uris():
        scheme, authority = str(uri.getScheme()), str(uri.getAuthority() or "")
        try:
            store = Store.of(scheme, authority, hadoop)
        except NotDirect:
            continue
        if (scheme, authority) not in opened:
            opened[scheme, authority] = store.open()
        yield opened[scheme, authority], store.path(authority, str(uri.getPath()))


def _misfit(scan: FileScan, names: Names, file: tuple[Any, str]) -> Misfit | None:
    """Return the first column of a file that Spark may misread; None for none, or no footer."""
    filesystem, path = file
    try:
        with filesystem.open_input_file(path) as source:
            schema = _schema(scan.form, source)
    except (OSError, ValueError, pa.ArrowException):
        return None
    is_named = not all(name.startswith(_BY_POSITION) for name in schema.names)
    for field in scan.read.fields:
        if is_named or scan.form != "orc":
            found = names.find(field.name, schema.names)
        else:
            found = schema.names[(at := scan.columns.index(field.name)) : at + 1]
        exact = [name for name in found if name == field.name] or found
        if exact and schema.names.count(exact[0]) == 1:
            there = schema.field(exact[0]).type
            for misfit in Fit(scan.form, names).misfits(field.dataType, there, field.name):
                return misfit
    return None


def _schema(form: str, source: Any) -> pa.Schema:
    if form == "orc":
        from pyarrow import orc

        return orc.ORCFile(source).schema
    from pyarrow import parquet

    return parquet.ParquetFile(source).schema_arrow


def _refused(path: str, misfit: Misfit) -> WarehouseError:
    column, kind, there = misfit
    return WarehouseError(
        f"file {path} holds column {column!r} as {there}, which is read as "
        f"{kind.simpleString().upper()}: Spark may take other values for its values without an "
        "error; declare the file's type (source.schema, or the table's column) and cast it in the "
        "job's features, or write the files anew with one type"
    )
