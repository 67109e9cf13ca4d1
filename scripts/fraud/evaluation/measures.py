"""The measures of predictions that a job wrote, from its table joined to the transactions."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from fraud.evaluation.metrics import average_precision, card_precision, roc_auc
from fraud.evaluation.protocol import Protocol, known_cards


class Measures(NamedTuple):
    """How good a model is; 1 is best."""

    roc_auc: float
    average_precision: float
    card_precision: float


def scored_rows(
    spark: SparkSession, predictions: str, transactions: str, protocol: Protocol
) -> DataFrame:
    """Join predictions of the test week to their labels, without the cards that are blocked.

    Args:
        spark: The session.
        predictions: Table that a scoring job wrote.
        transactions: Table that it scored.
        protocol: Says which days count and which cards are blocked.
    """
    return spark.sql(
        f"""
        SELECT p.tx_date, t.customer_id, t.fraud, p.fraud_score
        FROM {predictions} p
        JOIN {transactions} t ON p.tx_id = t.tx_id AND p.tx_date = t.tx_date
        LEFT JOIN ({known_cards(transactions, protocol)}) k ON t.customer_id = k.customer_id
        WHERE p.tx_date BETWEEN DATE '{protocol.test_start}' AND DATE '{protocol.test_end}'
          AND (k.known_from IS NULL OR p.tx_date < k.known_from)"""
    )


def measure(rows: DataFrame) -> Measures:
    """Compute the measures of ``scored_rows``.

    Raises:
        ValueError: A row has no score, or there is only one class.
    """
    data = rows.toPandas()
    labels, scores = data["fraud"].to_numpy(), data["fraud_score"].to_numpy()
    days, customers = data["tx_date"].to_numpy(), data["customer_id"].to_numpy()
    return Measures(
        roc_auc(labels, scores),
        average_precision(labels, scores),
        card_precision(days, customers, labels, scores),
    )
