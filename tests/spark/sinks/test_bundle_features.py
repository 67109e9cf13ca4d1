"""What a job says of its rows is not the bundle's to say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from spark_infer.errors import ConfigError

pytestmark = pytest.mark.one_spark

FIRST, SECOND = dt.date(2018, 8, 8), dt.date(2018, 8, 9)
DAYS = 17_750
"""The day before the first, since 1970."""


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


@pytest.fixture
def bundle(tmp_path: Path) -> si.Bundle:
    """A bundle with features of the names of the key, the partition and what ``rows`` reads."""
    features = {
        "ID": "id + 1",
        "day": "date_sub(day, 1)",
        "a": "a + sum(a) OVER ()",
        "region": "0",
        "fresh": "CAST(region = 'EU' AS INT)",
    }
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=list(features))], outputs=[si.Output("score")]
    )
    return si.save_bundle(tmp_path / "b", Sum(), signature=signature, features=features)


def table(job: Any) -> list[tuple[Any, ...]]:
    columns = "id, score, day, region, fresh"
    rows = job.spark.sql(f"SELECT {columns} FROM store.scores ORDER BY id").collect()
    return [(row[0], row[1] - DAYS, *row[2:]) for row in rows]


def test_key_partition_and_kept_columns_are_the_sources(job: Any, bundle: si.Bundle) -> None:
    changes = {
        "bundle": {"path": str(bundle.path)},
        "target": {"keep": ["day", "region", "fresh"]},
    }
    for date in (FIRST, SECOND, SECOND):
        job.run({"date": str(date)}, **changes)
    assert table(job) == [
        (1, 1 + 3 + 2 + 1, FIRST, "EU", 1),
        (2, 2 + 3 + 3 + 1, FIRST, "EU", 1),
        (3, 3 + 3 + 4 + 1 + 1, SECOND, "EU", 1),
    ]


def test_rows_asks_the_source_and_windows_see_all_that_was_read(
    job: Any, bundle: si.Bundle
) -> None:
    changes = {
        "bundle": {"path": str(bundle.path)},
        "source": {"table": "store.tx"},
        "target": {"mode": "append", "keep": ["day", "region", "fresh"], "partition_by": []},
    }
    job.run(rows="a > 1 AND a < 3", **changes)
    assert table(job) == [(2, 2 + 6 + 3 + 1, FIRST, "EU", 1)]
    with pytest.raises(ConfigError, match=r"rows \(fresh = 1\).*fresh"):
        job.run(rows="fresh = 1", **changes)


def test_a_feature_of_the_job_takes_a_columns_place_and_the_bundle_reads_it(
    job: Any, bundle: si.Bundle
) -> None:
    job.run(
        bundle={"path": str(bundle.path)},
        features={"region": "'US'", "id": "id * 10"},
        target={"keep": ["day", "region", "fresh"]},
    )
    assert table(job) == [(10, 1 + 3 + 11, FIRST, "US", 0), (20, 2 + 3 + 21, FIRST, "US", 0)]


def test_a_feature_of_the_bundle_is_no_key_and_no_partition(job: Any, bundle: si.Bundle) -> None:
    changes = {"bundle": {"path": str(bundle.path)}}
    with pytest.raises(ConfigError, match="key: column 'fresh' is missing"):
        job.run(key=["fresh"], **changes)
    target = {"keep": ["fresh"], "partition_by": ["fresh"]}
    with pytest.raises(ConfigError, match=r"target.partition_by: column 'fresh' is missing"):
        job.run(target=target, **changes)


@pytest.mark.nightly
def test_a_day_that_left_the_source_is_found_whatever_the_bundle_makes_of_days(
    job: Any, bundle: si.Bundle
) -> None:
    changes = {
        "bundle": {"path": str(bundle.path)},
        "target": {"keep": ["day", "region", "fresh"]},
    }
    job.run(**changes)
    job.transactions("3 2018-08-09")
    job.run(**changes)
    assert job.scores() == []
