"""A row group of any size is read in pieces: no more of it is held than a few record batches."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pyspark")

from pyspark.sql.types import ArrayType, DoubleType, FloatType

from spark_infer.metrics import Metrics
from spark_infer.spark.scan.files.footers import Reading
from spark_infer.spark.scan.files.reader import Part, Reader
from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.plan.planned import File, Stored

NUM_ROWS = 1_000_000


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_one_huge_row_group(tmp_path: Path, compression: str) -> None:
    random = np.random.default_rng(0)
    columns = {f"x{number}": random.standard_normal(NUM_ROWS) for number in range(8)}
    items = random.standard_normal(2 * NUM_ROWS).astype(np.float32)
    offsets = np.arange(0, len(items) + 1, 2, dtype=np.int32)
    columns["items"] = pa.ListArray.from_arrays(offsets, items)
    path = tmp_path / "one.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=NUM_ROWS, compression=compression)
    del columns, items

    stored = (
        *(Stored(f"x{number}", DoubleType()) for number in range(8)),
        Stored("items", ArrayType(FloatType())),
    )
    file = File("file", "", str(path), path.stat().st_size, ())
    (footer,) = Reading(stored, False, {}).footers([file], {("file", ""): Store("local")})
    (group,) = footer.groups
    assert group.num_rows == NUM_ROWS
    part = Part(
        str(path), Store("local"), footer.stamp, (0,), NUM_ROWS, group.num_bytes, footer.fields
    )
    types = (*[pa.float64()] * 8, pa.list_(pa.float32()))
    reader = Reader((pickle.dumps([part]),), types, (), 9)
    counted, before = Metrics(), pa.total_allocated_bytes()
    held, rows = 0, 0
    for batch in reader.read(0, counted):
        held = max(held, pa.total_allocated_bytes() - before)
        rows += batch.num_rows
        del batch
    assert rows == counted.num_read == NUM_ROWS
    assert held < group.num_bytes / 2
