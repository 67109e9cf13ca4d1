from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from scripts.fraud.generator import LARGE_AMOUNT, SCHEMA, generate

ROWS, DAYS = 60_000, 60


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return generate(ROWS, DAYS, seed=7)


def column(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy()


def test_has_the_rows_and_columns_asked_for(table: pa.Table) -> None:
    assert table.schema == SCHEMA
    assert table.num_rows == ROWS
    assert column(table, "tx_id").tolist() == list(range(ROWS))
    assert len(np.unique(column(table, "tx_date"))) == DAYS


def test_same_seed_same_table(table: pa.Table) -> None:
    assert generate(ROWS, DAYS, seed=7).equals(table)
    assert not generate(ROWS, DAYS, seed=8).equals(table)


def test_is_ordered_by_time_and_dated_by_it(table: pa.Table) -> None:
    times = column(table, "tx_datetime")
    assert (np.diff(times) >= np.timedelta64(0)).all()
    assert (times.astype("datetime64[D]") == column(table, "tx_date")).all()


def test_customers_pay_twice_a_day_at_few_terminals(table: pa.Table) -> None:
    customers = len(np.unique(column(table, "customer_id")))
    assert ROWS / DAYS / customers == pytest.approx(2, rel=0.05)
    terminals = table.group_by("customer_id").aggregate([("terminal_id", "count_distinct")])
    assert pc.max(terminals["terminal_id_count_distinct"]).as_py() < 40


def test_time_of_day_is_normal_around_noon(table: pa.Table) -> None:
    seconds = column(table, "tx_datetime").astype("datetime64[s]").astype(np.int64) % 86_400
    assert seconds.mean() == pytest.approx(43_200, rel=0.02)
    # A normal of 20,000 s that is cut at midnight.
    assert seconds.std() == pytest.approx(18_200, rel=0.05)


def test_every_large_amount_is_a_fraud_and_no_other_of_scenario_1_is(table: pa.Table) -> None:
    amount, scenario = column(table, "amount"), column(table, "fraud_scenario")
    assert (scenario[amount > LARGE_AMOUNT] > 0).all()
    assert (amount[scenario == 1] > LARGE_AMOUNT).all()
    assert (column(table, "fraud") == (scenario > 0)).all()
    assert set(np.unique(scenario)) == {0, 1, 2, 3}


def test_a_compromised_terminal_takes_only_frauds_for_28_days(table: pa.Table) -> None:
    scenario, terminal = column(table, "fraud_scenario"), column(table, "terminal_id")
    day = column(table, "tx_date").astype("datetime64[D]").astype(np.int64)
    hit = scenario == 2
    for place in np.unique(terminal[hit])[:50]:
        days = np.unique(day[hit & (terminal == place)])
        between = (terminal == place) & (day >= days[0]) & (day <= days[-1])
        if days[-1] - days[0] < 28:
            assert (scenario[between] > 0).all()


def test_a_third_of_a_stolen_cards_payments_are_frauds_of_large_amounts(table: pa.Table) -> None:
    scenario, amount = column(table, "fraud_scenario"), column(table, "amount")
    assert amount[scenario == 3].mean() > 3 * amount[scenario == 0].mean()
    # Three cards a day for 14 days, two payments a day, a third of them.
    assert (scenario == 3).sum() == pytest.approx(3 * 14 * DAYS * 2 / 3, rel=0.35)


@pytest.mark.parametrize(("rows", "days"), [(0, 10), (10, 0)])
def test_nothing_to_generate_is_refused(rows: int, days: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        generate(rows, days, seed=1)


def test_few_rows_are_enough() -> None:
    assert generate(3, 2, seed=1).num_rows == 3
