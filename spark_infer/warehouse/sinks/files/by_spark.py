"""Staged files that Spark writes, and reads back."""

from __future__ import annotations

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.files.partition import of_path
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.table import Table
from spark_infer.warehouse.sinks.target import Target


def stage_by_spark(
    target: Target, df: DataFrame, table: Table | None, place: Folder, writer: str
) -> Staged:
    """Have Spark score rows into files.

    Args:
        target: The table.
        df: The rows.
        table: The table as it is; None where it is not there yet.
        place: Where the files go.
        writer: What to say about who wrote them.
    """
    names = df.columns if table is None else table.columns.names
    by = target.partition_columns(names)
    columns = [*(name for name in names if name not in by), *by]
    ordered = target.held(df).select(*map(quoted, columns))
    if not target.is_overwritten:
        # One file for each partition, which becomes visible in one step.
        ordered = ordered.repartition(*map(quoted, by)) if by else ordered.repartition(1)
    observed = Observation()
    counted = ordered.observe(
        observed, F.count(F.lit(1)).alias("rows"), F.count(REASON_COLUMN).alias("rejected")
    )
    form = target.config.format if table is None else table.format
    options = {} if table is None else table.options
    files = counted.write.format(form).options(**options).option("maxRecordsPerFile", 0)
    files.partitionBy(*by).mode("errorifexists").save(place.uri)
    # Spark 3.5 forgets to count where it finds while it runs that there is nothing to write.
    counts = {"rows": 0, "rejected": 0, **observed.get}
    rows = read_staged(target.spark, form, ordered.schema, place)
    written = int(counts["rows"])
    # A file without rows may be in none.
    paths = place.files() if written else ()
    partitions = frozenset(of_path(target.spark, path) if path else () for path in paths)
    return Staged(rows, written, int(counts["rejected"]), writer, partitions)


def read_staged(spark: SparkSession, form: str, schema: StructType, place: Folder) -> DataFrame:
    """Return rows of a schema from staged files."""
    fields = [StructField(f.name, f.dataType, True, f.metadata) for f in schema.fields]
    reader = spark.read.format(form).schema(StructType(fields))
    # A folder's name is no pattern.
    return reader.option("__globPaths__", "false").load(place.uri)
