"""An overwrite replaces whole partitions: not those that hold rows which the run is not about."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import WarehouseError

pytestmark = pytest.mark.one_spark

KEPT = {"keep": ["day", "region"]}
ONE_REGION = {
    "parameters": {
        "date": {"type": "date", "default": "2018-08-08"},
        "region": {"type": "string", "default": "EU"},
    },
    "source": {"table": "store.tx", "filter": "day = :date AND region = :region"},
}


@pytest.fixture
def regions(job: Any) -> Any:
    job.transactions("1 2018-08-08 EU", "2 2018-08-08 US", "3 2018-08-09 US")
    return job


@pytest.mark.nightly
def test_one_regions_run_leaves_the_others_rows(regions: Any) -> None:
    regions.run(**ONE_REGION, target=KEPT)
    with pytest.raises(
        WarehouseError,
        match=r"store.scores' has predictions in day='2018-08-08' of rows that do not meet "
        r"'region = :region', and .* add the condition's column to target.partition_by.* append",
    ):
        regions.run({"region": "US"}, **ONE_REGION, target=KEPT)
    assert regions.scores() == [(1, 1.0)]
    # Its own rows it replaces, and those of a day without others.
    for _ in range(2):
        regions.run(**ONE_REGION, target=KEPT)
    regions.run({"region": "US", "date": "2018-08-09"}, **ONE_REGION, target=KEPT)
    assert regions.scores() == [(1, 1.0), (3, 3.0)]


@pytest.mark.nightly
def test_what_the_message_says_helps(regions: Any) -> None:
    for mode, by in (("overwrite", ["day", "region"]), ("append", ["day"])):
        for region in ("EU", "US", "EU"):
            target = {**KEPT, "mode": mode, "partition_by": by}
            regions.run({"region": region}, **ONE_REGION, target=target)
        assert regions.scores() == [(1, 1.0), (2, 2.0)]
        regions.spark.sql("DROP TABLE store.scores")


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("section", "condition"),
    [
        ("rows", "region = 'US'"),
        ("rows", "day = :date AND region = 'US'"),
        ("source.filter", "day = :date AND b = 0 AND region IN ('US')"),
        ("source.filter", "day BETWEEN :date AND :date AND region <> 'EU'"),
        ("source.filter", "id > 1 AND day = :date"),
        ("rows", "large AND day = :date"),
    ],
)
def test_any_part_of_a_condition_on_what_is_kept_tells(
    regions: Any, section: str, condition: str
) -> None:
    features = {"large": "id > 1"}
    target = {"keep": ["day", "region", "large"]}
    whole = {"source": {"table": "store.tx", "filter": "day = :date"}}
    regions.run(**whole, target=target, features=features)
    part = {"source": {"table": "store.tx", **({"filter": condition} if "." in section else {})}}
    if section == "rows":
        part["rows"] = condition
    with pytest.raises(WarehouseError, match=r"in day='2018-08-08' of rows that do not meet"):
        regions.run(**part, target=target, features=features)
    assert regions.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "condition",
    [
        "day = :date AND a < 2",  # the target does not have it
        "day = :date AND coalesce(a, 0) < 2",
        "day = :date OR region = 'US'",
        "day = :date AND id NOT IN (SELECT 2)",  # the row may have left the source
        "day = :date AND (region = 'EU' OR b > 0)",
        "day = :date AND rand(7) < 2",
    ],
)
def test_what_cannot_be_told_is_accepted(regions: Any, condition: str) -> None:
    regions.run(target=KEPT)
    regions.run(target=KEPT, source={"table": "store.tx", "filter": condition})
    assert regions.scores()[0] == (1, 1.0)


def test_a_row_that_has_left_the_source_leaves_the_target(regions: Any) -> None:
    target = {**KEPT, "partition_by": ["day"]}
    regions.run(target=target)
    regions.transactions("1 2018-08-08 EU")
    regions.run(target=target)
    assert regions.scores() == [(1, 1.0)]


@pytest.mark.nightly
def test_a_feature_in_place_of_a_column_is_not_what_the_filter_means(regions: Any) -> None:
    # In the source it is EU or US, in the target the first letter of it.
    features = {"region": "left(region, 1)"}
    for _ in range(2):
        regions.run(**ONE_REGION, target=KEPT, features=features)
    with pytest.raises(WarehouseError, match="do not meet 'region = \"U\"'"):
        regions.run(
            **{**ONE_REGION, "source": {"table": "store.tx", "filter": "day = :date"}},
            rows='region = "U"',
            target=KEPT,
            features=features,
        )


def test_more_partitions_than_are_named_in_a_query(
    regions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_infer.warehouse.sinks.target.MAX_NAMED", 1)
    source = {"table": "store.tx"}
    regions.run(source=source, target=KEPT)
    with pytest.raises(WarehouseError, match="day='2018-08-08' of rows that do not meet"):
        regions.run(source={**source, "filter": "region = 'EU' OR id = 3"}, target=KEPT)
    assert [row[0] for row in regions.scores()] == [1, 2, 3]
