"""Frames, labels and boosters for the tests, and what a bundle predicts of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

import spark_infer as si
from spark_infer.bundle import Bundle

ROWS = 1_500


def frame() -> pd.DataFrame:
    """Return two numbers with missing values, one of them large, and two categories."""
    random = np.random.default_rng(5)
    found = pd.DataFrame(
        {
            "amount": (random.normal(size=ROWS) * 1000).astype(np.float32),
            "shop": pd.Categorical(random.choice(["east", "north", "west"], ROWS)),
            "rate": random.normal(size=ROWS).astype(np.float32),
            "code": pd.Categorical(random.choice([3, 7, 9], ROWS)),
        }
    )
    found.loc[::7, "amount"] = np.nan
    found.loc[::11, "shop"] = np.nan
    return found


def numbers() -> pd.DataFrame:
    return frame()[["amount", "rate"]]


def classes(rows: pd.DataFrame, count: int = 2) -> Any:
    """Return the class of each row, which follows from its columns."""
    score = rows["amount"].fillna(300) / 1000 + rows["rate"]
    if "shop" in rows:
        score = score + (rows["shop"] == "east") - (rows["code"] == 7)
    return np.digitize(score, np.quantile(score, np.arange(1, count) / count))


def table(rows: pd.DataFrame) -> pa.Table:
    """Return a frame as Spark has it: categories as values, missing ones null."""
    columns = {}
    for name in rows.columns:
        values = rows[name]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype(object).where(values.notna(), None)
        columns[str(name)] = pa.array(values, from_pandas=True)
    return pa.table(columns)


def predicted(path: Path, model: Any, rows: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """Save a model, and return what the bundle predicts of rows, by output."""
    bundle = si.save_bundle(path, model, **options)
    return predict(bundle, table(rows))


def predict(bundle: Bundle, rows: pa.Table) -> dict[str, Any]:
    found = si.Predictor(si.load_model(bundle), bundle).predict(rows)
    assert set(found.column("rejected_reason").to_pylist()) == {None}
    return {
        name: np.array(found.column(name).to_pylist())
        for name in found.schema.names
        if name != "rejected_reason"
    }
