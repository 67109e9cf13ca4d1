"""Train the three fraud models on features that Spark computes, and save them as bundles.

The number of passes is chosen on the past: the model of two weeks earlier is tried on this
protocol's training week. Then a new model is fitted on that week.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from pyspark.sql import SparkSession
from xgboost import Booster

import spark_infer as si
from fraud.boosted import choose_rounds, fit_booster
from fraud.evaluation.protocol import Protocol, known_cards
from fraud.features import FEATURES, HISTORY, HISTORY_FIELDS, HISTORY_LENGTH, SCALARS, with_features
from fraud.fit import FitOptions, Model, Rows, choose_passes, fit
from fraud.models import DenseModel, SequenceModel
from spark_infer.bundle import ModelFormat

_SCORE = si.Output("fraud_score", dtype="float32")
_SCALARS = si.ScalarInput("features", columns=SCALARS)
_HISTORY = si.RaggedInput(
    "history",
    column="history",
    fields=HISTORY_FIELDS,
    max_length=HISTORY_LENGTH,
    overflow="keep_last",
)


@dataclass(frozen=True)
class Recipe:
    """What one bundle is made of: a network of a class, or boosted trees where there is none."""

    name: str
    description: str
    signature: si.Signature
    features: Mapping[str, str]
    model: type[Model] | None
    arguments: Mapping[str, Any]
    format: ModelFormat


RECIPES = (
    Recipe(
        name="fraud-dense",
        description="Probability of fraud from fifteen features of card and terminal.",
        signature=si.Signature(inputs=[_SCALARS], outputs=[_SCORE]),
        features=FEATURES,
        model=DenseModel,
        arguments={"num_features": len(SCALARS)},
        format="export",
    ),
    Recipe(
        name="fraud-sequence",
        description="Probability of fraud from fifteen features and the card's last transactions.",
        signature=si.Signature(inputs=[_SCALARS, _HISTORY], outputs=[_SCORE]),
        features=FEATURES | HISTORY,
        model=SequenceModel,
        arguments={"num_features": len(SCALARS), "num_fields": len(HISTORY_FIELDS)},
        format="module",
    ),
    Recipe(
        name="fraud-boosted",
        description="Probability of fraud from fifteen features, by boosted trees of XGBoost.",
        signature=si.Signature(inputs=[_SCALARS], outputs=[_SCORE]),
        features=FEATURES,
        model=None,
        arguments={},
        format="xgboost",
    ),
)


@dataclass(frozen=True)
class Trained:
    """A saved bundle and how it came about."""

    bundle: si.Bundle
    passes: int
    validation_precision: float
    seconds: float


def compute_training_rows(
    spark: SparkSession, transactions: str, protocol: Protocol, path: Path
) -> pa.Table:
    """Compute the features of the training week and of the one two weeks before.

    Args:
        spark: The session.
        transactions: Table with the transactions.
        protocol: Says which days are needed.
        path: Where the rows are kept as Parquet.

    Returns:
        The rows, with ``is_known``: the card is blocked on that day when training two weeks before.
    """
    past = protocol.validation
    source = spark.table(transactions).where(
        f"tx_date BETWEEN DATE '{protocol.first_read}' AND DATE '{protocol.train_end}'"
    )
    known = spark.sql(known_cards(transactions, past))
    rows = (
        with_features(source, FEATURES | HISTORY)
        .where(f"tx_date >= DATE '{past.train_start}'")
        .join(known, "customer_id", "left")
        .selectExpr(
            *("tx_id", "tx_date", "fraud", *SCALARS, *HISTORY),
            "coalesce(tx_date >= known_from, false) AS is_known",
        )
    )
    rows.write.mode("overwrite").parquet(str(path))
    return pq.read_table(path).sort_by("tx_id")


def train_bundle(
    recipe: Recipe,
    rows: pa.Table,
    protocol: Protocol,
    folder: Path,
    options: FitOptions | None = None,
) -> Trained:
    """Train one model and save it as a bundle.

    Args:
        recipe: What to train.
        rows: What ``compute_training_rows`` returned.
        protocol: The one it was computed for.
        folder: Where the bundle goes, under the recipe's name.
        options: How to fit.
    """
    options = options or FitOptions()
    started = time.monotonic()
    torch.set_num_threads(1)  # these models are small, and the result is the same everywhere
    past = protocol.validation
    week = _between(rows, protocol.train_start, protocol.train_end)
    train = Rows(week, recipe.signature)
    past_train = Rows(_between(rows, past.train_start, past.train_end), recipe.signature)
    past_test = Rows(week.filter(pc.invert(week["is_known"])), recipe.signature)

    network = recipe.model
    model: Model | Booster
    if network is None:
        passes, precision = choose_rounds(past_train, past_test, options.seed)
        model = fit_booster(train, passes, options.seed)
    else:
        make_model = functools.partial(network, **recipe.arguments)
        passes, precision = choose_passes(make_model, past_train, past_test, options)
        model = fit(make_model, train, passes, options)
    module = None
    if recipe.format == "module" and network is not None:
        module = f"{network.__module__}:{network.__name__}"
    bundle = si.save_bundle(
        folder / recipe.name,
        model,
        signature=recipe.signature,
        sample=week,
        profile=week,
        features=recipe.features,
        format=recipe.format,
        module=module,
        arguments=None if module is None else recipe.arguments,
        description=recipe.description,
        metadata={
            "trained_on": [str(protocol.train_start), str(protocol.train_end)],
            "num_rows": len(train),
            "num_frauds": int(train.labels.sum()),
            "passes": passes,
            "validation_average_precision": round(precision, 4),
            "seed": options.seed,
        },
    )
    return Trained(bundle, passes, precision, time.monotonic() - started)


def _between(rows: pa.Table, first: date, last: date) -> pa.Table:
    days = rows["tx_date"]
    return rows.filter(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last)))
