"""About how many rows a source has, without reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark_infer.report import RunReport
from spark_infer.report.plan import Reading
from spark_infer.spark.prediction import Prediction
from spark_infer.warehouse.reading.relations import file_relations, format_of

_MAX_SAMPLED = 3
"""Files whose rows are counted, by what stands at their ends."""
_COUNTED = ("parquet", "orc")
"""Formats whose files say how many rows they have."""


def reading_of(
    source: DataFrame,
    predicted: Prediction,
    snapshot: Sequence[Mapping[str, Any]],
    earlier: Sequence[RunReport],
) -> Reading:
    """Return what a run would read.

    Args:
        source: The rows of the source.
        predicted: What would be predicted of them.
        snapshot: What ``snapshot_of`` says of the source.
        earlier: Runs of the job that were published, the newest first.
    """
    files = [part for part in snapshot if part["kind"] == "files"]
    is_known = bool(files) and all("num_files" in part for part in files)
    of_partitions = [part["num_partitions"] for part in files if part.get("num_partitions")]
    num_bytes = sum(part["num_bytes"] for part in files) if is_known else None
    rows, rows_from = _rows(source, predicted, num_bytes, earlier)
    return Reading(
        num_partitions=sum(of_partitions) if of_partitions else None,
        num_files=sum(part["num_files"] for part in files) if is_known else None,
        num_bytes=num_bytes,
        rows=rows,
        rows_from=rows_from,
    )


def _rows(
    source: DataFrame,
    predicted: Prediction,
    num_bytes: int | None,
    earlier: Sequence[RunReport],
) -> tuple[int | None, str]:
    if predicted.num_rows is not None:
        return predicted.num_rows, "as the files say"
    plan: Any = source._jdf.queryExecution().optimizedPlan()
    known = plan.stats().rowCount()
    if known.isDefined():
        return int(str(known.get())), "as the catalog says"
    if num_bytes == 0:
        return 0, "there are no files"
    for report in earlier:
        before = sum(int(part.get("num_bytes", 0)) for part in report.snapshot)
        if num_bytes and before and report.rows_in:
            text = f"estimated by the rows for each byte of run {report.run_id}"
            return round(report.rows_in * num_bytes / before), text
    if num_bytes is not None and (sampled := _sampled(source)):
        rows, of_bytes = sampled
        return round(rows * num_bytes / of_bytes), "estimated by some of the files"
    if earlier and earlier[0].rows_in is not None:
        return earlier[0].rows_in, f"as in run {earlier[0].run_id}"
    return None, ""


def _sampled(source: DataFrame) -> tuple[int, int] | None:
    """Return the rows and bytes of a few files; None where their ends do not tell."""
    spark = source.sparkSession
    relations = list(file_relations(source))
    if len(relations) != 1 or format_of(relations[0].relation()) not in _COUNTED:
        return None
    form = format_of(relations[0].relation())
    files = list(source.inputFiles())
    chosen = [files[at] for at in sorted({0, len(files) // 2, len(files) - 1})][:_MAX_SAMPLED]
    size = sum(_num_bytes(spark, path) for path in chosen)
    rows = spark.read.format(form).option("__globPaths__", "false").load(chosen).count()
    return (rows, size) if rows and size else None


def _num_bytes(spark: SparkSession, path: str) -> int:
    jvm: Any = spark.sparkContext._jvm
    place = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(path))
    conf = spark._jsparkSession.sessionState().newHadoopConf()
    return int(place.getFileSystem(conf).getFileStatus(place).getLen())
