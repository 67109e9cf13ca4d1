"""The features of the fraud case, as named Spark SQL expressions.

Training and scoring read the same text: it is stored in the bundles. The windows are those of the
Fraud Detection Handbook (Le Borgne, Siblini, Lebichot, Bontempi, *Reproducible Machine Learning
for Credit Card Fraud Detection*, 2022), over seconds since the epoch, open on the left and closed
on the right.

A label is known seven days after its transaction, so the windows that read ``fraud`` end there.
Every window reaches back at most ``LOOKBACK_DAYS`` days: a query that reads that many days
before the first scored one computes the same values as one that reads everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

DAY_SECONDS = 86_400
WINDOW_DAYS = (1, 7, 30)
LABEL_DELAY_DAYS = 7
LOOKBACK_DAYS = max(WINDOW_DAYS) + LABEL_DELAY_DAYS
HISTORY_LENGTH = 20

_CLOCK = "unix_seconds(tx_datetime)"


def _window(partition: str, days: int, delay_days: int = 0) -> str:
    """The OVER clause of the `days` that end `delay_days` before each row's own second."""
    first = (days + delay_days) * DAY_SECONDS - 1
    last = f"{delay_days * DAY_SECONDS} PRECEDING" if delay_days else "CURRENT ROW"
    return (
        f"OVER (PARTITION BY {partition} ORDER BY {_CLOCK} "
        f"RANGE BETWEEN {first} PRECEDING AND {last})"
    )


def _customer_features(days: int) -> dict[str, str]:
    over = _window("customer_id", days)
    return {
        f"customer_num_tx_{days}d": f"CAST(count(*) {over} AS FLOAT)",
        f"customer_mean_amount_{days}d": f"CAST(avg(amount) {over} AS FLOAT)",
    }


def _terminal_features(days: int) -> dict[str, str]:
    over = _window("terminal_id", days, LABEL_DELAY_DAYS)
    return {
        f"terminal_num_tx_{days}d": f"CAST(count(*) {over} AS FLOAT)",
        f"terminal_fraud_share_{days}d": f"CAST(coalesce(avg(fraud) {over}, 0) AS FLOAT)",
    }


def _history() -> str:
    """The card's last transactions, oldest first, ending in the one that is scored."""
    rows = (
        f"collect_list(struct(amount, {_CLOCK} AS second, terminal_id AS terminal)) "
        "OVER (PARTITION BY customer_id ORDER BY tx_datetime, tx_id "
        f"ROWS BETWEEN {HISTORY_LENGTH - 1} PRECEDING AND CURRENT ROW)"
    )
    recent = f"filter({rows}, x -> {_CLOCK} - x.second < {max(WINDOW_DAYS) * DAY_SECONDS})"
    return (
        f"transform({recent}, x -> named_struct("
        "'amount', CAST(x.amount AS FLOAT), "
        f"'gap_hours', CAST(({_CLOCK} - x.second) / 3600 AS FLOAT), "
        "'same_terminal', CAST(x.terminal = terminal_id AS FLOAT)))"
    )


FEATURES: dict[str, str] = {
    "is_weekend": "CAST(weekday(tx_datetime) >= 5 AS FLOAT)",
    "is_night": "CAST(hour(tx_datetime) <= 6 AS FLOAT)",
}
"""The scalar features beside the amount."""

for _days in WINDOW_DAYS:
    FEATURES |= _terminal_features(_days) | _customer_features(_days)

SCALARS = ("amount", *FEATURES)
"""The fifteen scalar columns that both models read, in their order."""

HISTORY: dict[str, str] = {"history": _history()}
"""The ragged column that the sequence model reads too. No label is in it."""

HISTORY_FIELDS = ("amount", "gap_hours", "same_terminal")
"""Fields of one transaction in the history."""


def with_features(transactions: DataFrame, features: Mapping[str, str]) -> DataFrame:
    """Add the features to the transactions, in one SELECT."""
    return transactions.selectExpr("*", *(f"{sql} AS {name}" for name, sql in features.items()))
