"""Card transactions with frauds, made up after a published design.

The design is the transaction simulator of the Fraud Detection Handbook (Y.-A. Le Borgne,
W. Siblini, B. Lebichot, G. Bontempi, *Reproducible Machine Learning for Credit Card Fraud
Detection: Practical Handbook*, Université Libre de Bruxelles, 2022). This is an implementation of
its own, with NumPy arrays instead of loops:

* Customers and terminals lie in a square of 100 by 100. A customer pays at the terminals within
  a radius of 5 (at the nearest where there is none), any of them equally likely.
* A customer's payments per day are Poisson, with a mean drawn from U(0, 4). Conditioned on the
  total, that is a multinomial choice of customer and day, so a table has exactly the rows asked
  for. The time of day is normal around noon.
* Amounts are normal, with a mean drawn from U(5, 100) and half of it as standard deviation.
* Scenario 1: an amount above 220 is a fraud. Scenario 2: every day two terminals are compromised,
  and for 28 days every payment there is a fraud. Scenario 3: every day three cards are stolen,
  and for 14 days one in three of their payments is a fraud of five times the amount.

The command ``python scripts/fraud/generator.py OUT --rows 1000000 --days 183 --seed 7`` writes
one Parquet file.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

START = date(2018, 4, 1)
DAY_SECONDS = 86_400
SQUARE = 100.0
RADIUS = 5.0
MEAN_TX_PER_DAY = 2.0
TERMINALS_PER_CUSTOMER = 2
MIN_TERMINALS = 1000
LARGE_AMOUNT = 220.0
TERMINALS_PER_DAY, TERMINAL_DAYS = 2, 28
CARDS_PER_DAY, CARD_DAYS = 3, 14
_BLOCK = 100

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SCHEMA = pa.schema(
    [
        pa.field("tx_id", pa.int64(), nullable=False),
        pa.field("tx_datetime", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("customer_id", pa.int64(), nullable=False),
        pa.field("terminal_id", pa.int64(), nullable=False),
        pa.field("amount", pa.float64(), nullable=False),
        pa.field("fraud", pa.int32(), nullable=False),
        pa.field("fraud_scenario", pa.int32(), nullable=False),
        pa.field("tx_date", pa.date32(), nullable=False),
    ]
)


class Customers(NamedTuple):
    """Customers by their number; the terminals that each can reach lie end to end."""

    mean_amount: Floats
    tx_per_day: Floats
    terminals: Integers
    first: Integers
    num_terminals: Integers


def generate(rows: int, days: int, seed: int, start: date = START) -> pa.Table:
    """Make a table of transactions, ordered by time.

    Args:
        rows: Transactions. The number of customers follows from it: each makes about two a day.
        days: Days that the table covers.
        seed: The same arguments and the same NumPy version give the same table.
        start: First day.

    Raises:
        ValueError: ``rows`` or ``days`` is not positive.
    """
    if rows < 1 or days < 1:
        raise ValueError(f"rows and days must be at least 1, got {rows} and {days}")
    rng = np.random.default_rng(seed)
    num_customers = max(1, round(rows / (days * MEAN_TX_PER_DAY)))
    num_terminals = max(MIN_TERMINALS, TERMINALS_PER_CUSTOMER * num_customers)
    customers = _customers(rng, num_customers, num_terminals)

    share = customers.tx_per_day / customers.tx_per_day.sum()
    customer = rng.choice(num_customers, size=rows, p=share)
    day = rng.integers(0, days, size=rows)
    second = day * DAY_SECONDS + _seconds_of_day(rng, rows)
    order = np.lexsort((customer, second))
    customer, day, second = customer[order], day[order], second[order]
    choice = rng.integers(0, customers.num_terminals[customer])
    terminal = customers.terminals[customers.first[customer] + choice]
    amount = np.round(_amounts(rng, customers.mean_amount[customer]), 2)

    stolen = _marked(rng, CARDS_PER_DAY, CARD_DAYS, num_customers, days)[customer, day]
    stolen &= rng.random(rows) < 1 / 3
    scenario = np.where(amount > LARGE_AMOUNT, 1, 0)
    compromised = _marked(rng, TERMINALS_PER_DAY, TERMINAL_DAYS, num_terminals, days)
    scenario[compromised[terminal, day]] = 2
    scenario[stolen] = 3
    amount = np.where(stolen, amount * 5, amount)

    first_day = np.datetime64(start, "D").astype(np.int64)
    columns: dict[str, npt.NDArray[Any]] = {
        "tx_id": np.arange(rows),
        "tx_datetime": (first_day * DAY_SECONDS + second) * 1_000_000,
        "customer_id": customer,
        "terminal_id": terminal,
        "amount": np.round(amount, 2),
        "fraud": (scenario > 0).astype(np.int32),
        "fraud_scenario": scenario.astype(np.int32),
        "tx_date": (first_day + day).astype(np.int32),
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _customers(rng: np.random.Generator, num_customers: int, num_terminals: int) -> Customers:
    place = rng.uniform(0, SQUARE, (num_customers, 2))
    terminal_place = rng.uniform(0, SQUARE, (num_terminals, 2))
    terminals, counts = [], []
    for start in range(0, num_customers, _BLOCK):
        offset = place[start : start + _BLOCK, None, :] - terminal_place[None, :, :]
        distance = np.einsum("ijk,ijk->ij", offset, offset)
        near = distance < RADIUS**2
        near[np.arange(len(near)), distance.argmin(axis=1)] = True
        terminals.append(np.nonzero(near)[1])
        counts.append(near.sum(axis=1))
    num_reached = np.concatenate(counts)
    return Customers(
        mean_amount=rng.uniform(5, 100, num_customers),
        tx_per_day=rng.uniform(0, 2 * MEAN_TX_PER_DAY, num_customers),
        terminals=np.concatenate(terminals),
        first=np.cumsum(num_reached) - num_reached,
        num_terminals=num_reached,
    )


def _seconds_of_day(rng: np.random.Generator, rows: int) -> Integers:
    """Draw from N(noon, 20,000 s), again where a draw falls outside of the day."""
    seconds = np.empty(rows)
    missing = np.arange(rows)
    while len(missing):
        drawn = rng.normal(DAY_SECONDS / 2, 20_000, len(missing))
        seconds[missing] = drawn
        missing = missing[(drawn < 0) | (drawn >= DAY_SECONDS)]
    return seconds.astype(np.int64)


def _amounts(rng: np.random.Generator, mean: Floats) -> Floats:
    """Draw from N(mean, mean / 2), and from U(0, 2 mean) where that is negative."""
    amount = rng.normal(mean, mean / 2)
    return np.where(amount < 0, rng.uniform(0, 2 * mean), amount)


def _marked(
    rng: np.random.Generator, per_day: int, length: int, population: int, days: int
) -> npt.NDArray[np.bool_]:
    """Mark ``per_day`` random members each day, for ``length`` days: shape (population, days)."""
    marked = np.zeros((population, days), np.bool_)
    for day in range(days):
        members = rng.choice(population, size=min(per_day, population), replace=False)
        marked[members, day : day + length] = True
    return marked


def main() -> None:
    """Write one Parquet file and print what is in it."""
    parser = argparse.ArgumentParser(description="Generate card transactions with frauds.")
    parser.add_argument("out", type=Path, help="Parquet file to write")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=183)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=date.fromisoformat, default=START, help="first day")
    arguments = parser.parse_args()
    if arguments.rows < 1 or arguments.days < 1:
        parser.error("--rows and --days must be at least 1")
    table = generate(arguments.rows, arguments.days, arguments.seed, arguments.start)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, arguments.out, row_group_size=1_000_000)
    frauds = int(np.sum(table["fraud"].to_numpy()))
    print(f"{arguments.out}: {table.num_rows:,} transactions, {frauds:,} frauds")


if __name__ == "__main__":
    main()
