"""Runs a small job, whose classes of the JVM are archived for the JVMs that tests start.

scripts/noxfile.py starts it with ``-XX:ArchiveClassesAtExit``. A JVM that finds its classes in an
archive has Spark ready with a third of the work.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from killing.nights import save_double

import spark_infer as si
from spark_infer.spark import session

_SPARK = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.log.level": "OFF",
    "spark.sql.shuffle.partitions": "2",
}


def main() -> None:
    """Run it twice: the second time compares the rows with what the first has left."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        bundle = save_double(Path(folder))
        rows = {"id": [1, 2, 3, 4], "day": ["a", "a", "b", "b"], "a": [1.0, 2.0, None, 4.0]}
        pq.write_table(pa.table(rows), "rows.parquet")
        job = {
            "name": "classes",
            "source": {"path": "rows.parquet"},
            "key": ["id"],
            "bundle": {"path": str(bundle)},
            "target": {"table": "scores", "partition_by": ["day"], "keep": ["day"]},
            "incremental": {"by": "content"},
            "batch": {"max_rejected_share": 0.5},
            "spark": _SPARK,
        }
        Path("job.yaml").write_text(yaml.safe_dump(job))
        spark = session("classes", _SPARK)
        for _ in range(2):
            si.ScoringJob.load("job.yaml").run(spark)
        os.chdir("/")
        spark.stop()


if __name__ == "__main__":
    main()
