"""The features of the fraud case against a reference that reads the definitions aloud."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from scripts.fraud.features import (
    FEATURES,
    HISTORY,
    HISTORY_FIELDS,
    HISTORY_LENGTH,
    LOOKBACK_DAYS,
    SCALARS,
    with_features,
)
from scripts.fraud.generator import SCHEMA, generate

pytestmark = pytest.mark.one_spark

DAY = 86_400
LAST_DAY = dt.date(2018, 5, 20)


def edge_cases() -> pa.Table:
    """One card at one terminal, at the edges of the windows around 2018-05-20 12:00:00."""
    noon = int(dt.datetime(2018, 5, 20, 12, tzinfo=dt.timezone.utc).timestamp())
    ages = [0, 0, 1, DAY - 1, DAY, 7 * DAY - 1, 7 * DAY, 7 * DAY + 1, 8 * DAY - 1, 8 * DAY]
    ages += [14 * DAY - 1, 14 * DAY, 30 * DAY - 1, 30 * DAY, 37 * DAY - 1, 37 * DAY, 38 * DAY]
    ages += range(10, 10 + HISTORY_LENGTH)
    rows = [
        {
            "tx_id": 1_000_000 + number,
            "tx_datetime": (noon - age) * 1_000_000,
            "customer_id": 999_999,
            "terminal_id": 999_999,
            "amount": 10.0 + number,
            "fraud": number % 2,
            "fraud_scenario": 0,
            "tx_date": (noon - age) // DAY,
        }
        for number, age in enumerate(ages)
    ]
    return pa.table(
        [
            pa.array([row[field.name] for row in rows]).cast(INTEGERS[field.name]).cast(field.type)
            for field in SCHEMA
        ],
        schema=SCHEMA,
    )


INTEGERS = {field.name: pa.int64() for field in SCHEMA} | {
    "amount": pa.float64(),
    "tx_date": pa.int32(),
}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    made = generate(3_000, 50, seed=3)
    # Fewer terminals, so that each has a past to look at.
    terminals = pa.array(made["terminal_id"].to_numpy() % 40)
    made = made.set_column(
        SCHEMA.get_field_index("terminal_id"), SCHEMA.field("terminal_id"), terminals
    )
    return pa.concat_tables([made, edge_cases()])


@pytest.fixture(scope="module")
def transactions(
    spark: SparkSession, table: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> DataFrame:
    path = tmp_path_factory.mktemp("transactions") / "transactions.parquet"
    pq.write_table(table, path)
    return spark.read.parquet(str(path))


def reference(rows: pd.DataFrame, row: Any) -> dict[str, Any]:
    """Return one row's features."""
    age = row.second - rows["second"]
    features: dict[str, Any] = {
        "amount": row.amount,
        "is_weekend": float(row.tx_datetime.dayofweek in (5, 6)),
        "is_night": float(row.tx_datetime.hour in range(7)),
    }
    for days in (1, 7, 30):
        recent = rows[(rows.customer_id == row.customer_id) & (age >= 0) & (age < days * DAY)]
        features[f"customer_num_tx_{days}d"] = len(recent)
        features[f"customer_mean_amount_{days}d"] = recent.amount.mean()
        known = rows[
            (rows.terminal_id == row.terminal_id) & (age >= 7 * DAY) & (age < (7 + days) * DAY)
        ]
        features[f"terminal_num_tx_{days}d"] = len(known)
        features[f"terminal_fraud_share_{days}d"] = known.fraud.mean() if len(known) else 0.0
    own = rows[(rows.customer_id == row.customer_id) & (age < 30 * DAY)]
    until = (own.second < row.second) | ((own.second == row.second) & (own.tx_id <= row.tx_id))
    last = own[until].sort_values(["second", "tx_id"]).tail(HISTORY_LENGTH)
    features["history"] = np.stack(
        [last.amount, (row.second - last.second) / 3600, last.terminal_id == row.terminal_id],
        axis=1,
    )
    return features


@pytest.mark.nightly
def test_features_follow_their_definitions(transactions: DataFrame, table: pa.Table) -> None:
    rows = table.to_pandas()
    rows["second"] = rows.tx_datetime.astype("int64") // 1_000_000
    found = {
        row.tx_id: row
        for row in with_features(transactions, FEATURES | HISTORY)
        .where("tx_id % 7 = 0 OR tx_id >= 1000000")
        .collect()
    }
    assert len(found) > 400
    assert any(row.terminal_fraud_share_30d > 0 for row in found.values())
    for row in rows[rows.tx_id.isin(found)].itertuples():
        expected, actual = reference(rows, row), found[row.tx_id]
        for name in SCALARS:
            assert actual[name] == pytest.approx(expected[name], rel=1e-5), (row.tx_id, name)
        history = [[item[name] for name in HISTORY_FIELDS] for item in actual.history]
        np.testing.assert_allclose(history, expected["history"], rtol=1e-5)


def test_what_the_lookback_reads_is_enough(transactions: DataFrame) -> None:
    day = f"tx_date = DATE '{LAST_DAY}'"
    near = f"tx_date BETWEEN date_sub(DATE '{LAST_DAY}', {LOOKBACK_DAYS}) AND DATE '{LAST_DAY}'"
    features = FEATURES | HISTORY
    everything = with_features(transactions, features).where(day)
    enough = with_features(transactions.where(near), features).where(day)
    assert sorted(everything.collect()) == sorted(enough.collect())
    assert everything.count() > 20


class Total(torch.nn.Module):
    """Adds up the features: a model whose score shows every one of them."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.sum(1)


def test_a_job_scores_a_day_on_the_features_of_the_days_before_it(
    spark: SparkSession, transactions: DataFrame, tmp_path: Path
) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("features", columns=SCALARS)], outputs=[si.Output("score")]
    )
    si.save_bundle(tmp_path / "total", Total(), signature=signature, features=FEATURES)
    config = {
        "name": "total",
        "parameters": {"date": {"type": "date"}},
        "source": {"path": transactions.inputFiles()[0]},
        "rows": "tx_date = :date",
        "key": ["tx_id"],
        "bundle": {"path": str(tmp_path / "total")},
        "target": {"table": "total_scores", "mode": "append"},
        "report": {"path": str(tmp_path / "reports")},
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(config))
    try:
        si.ScoringJob.load(tmp_path / "job.yaml", date=LAST_DAY).run(spark)
        scores = {row.tx_id: row.score for row in spark.table("total_scores").collect()}
    finally:
        spark.sql("DROP TABLE IF EXISTS total_scores")
    day = with_features(transactions, FEATURES).where(f"tx_date = DATE '{LAST_DAY}'").collect()
    assert len(day) > 20
    for row in day:
        assert scores[row.tx_id] == pytest.approx(sum(row[n] for n in SCALARS), rel=1e-5)
