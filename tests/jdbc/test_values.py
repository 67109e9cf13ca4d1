"""Values come into the database as they are, and are compared as they are."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from spark_infer.errors import WarehouseError
from tests.jdbc.test_modes import APPEND

# The machine's clocks skip this midnight, and the session's this half hour.
VALUES = {
    "tiny": ("cast(-128 AS TINYINT)", "smallint", "-128"),
    "small": ("cast(32767 AS SMALLINT)", "smallint", "32767"),
    "whole": ("cast(-2147483648 AS INT)", "integer", "-2147483648"),
    "big": ("cast(9223372036854775807 AS BIGINT)", "bigint", "9223372036854775807"),
    "real_": ("cast(0.1 AS FLOAT)", "real", "0.1"),
    "least": ("double('4.9E-324')", "double precision", "5e-324"),
    "third": ("1D / 3", "double precision", "0.3333333333333333"),
    "nan": ("double('NaN')", "double precision", "NaN"),
    "inf": ("-float('Infinity')", "real", "-Infinity"),
    "zero": ("double('-0.0')", "double precision", "-0"),
    "money": ("cast('-12345678901234567890.123456789' AS DECIMAL(38,9))", "numeric(38,9)", None),
    "cents": ("cast('1.50' AS DECIMAL(10,2))", "numeric(10,2)", "1.50"),
    "yes": ("true", "boolean", "t"),
    "bytes": ("X'00ff5c27'", "bytea", "\\x00ff5c27"),
    "empty": ("''", "text", ""),
    "odd": ("'a\\'b\\\\n\\n{\"}é😀'", "text", "a'b\\n\n{\"}é😀"),
    "midnight": ("DATE'2018-11-04'", "date", "2018-11-04"),
    "old": ("DATE'1582-10-10'", "date", "1582-10-10"),
    "first": ("DATE'0001-01-01'", "date", "0001-01-01"),
    "moment": (
        "TIMESTAMP'2018-11-04 03:00:00.123456Z'",
        "timestamp with time zone",
        "2018-11-04 03:00:00.123456+00",
    ),
    "ancient": (
        "TIMESTAMP'1500-02-28 23:59:59.000001Z'",
        "timestamp with time zone",
        "1500-02-28 23:59:59.000001+00",
    ),
    "last": (
        "TIMESTAMP'9999-12-30 00:00:00Z'",
        "timestamp with time zone",
        "9999-12-30 00:00:00+00",
    ),
    "clock": (
        "TIMESTAMP_NTZ'2018-11-04 00:30:00.000001'",
        "timestamp without time zone",
        "2018-11-04 00:30:00.000001",
    ),
    "skipped": (
        "TIMESTAMP_NTZ'2018-10-07 02:15:00'",
        "timestamp without time zone",
        "2018-10-07 02:15:00",
    ),
    "floats": ("array(float('NaN'), 0.1F, NULL)", "real[]", "{NaN,0.1,NULL}"),
    "texts": (
        "array('', 'NULL', NULL, 'a,b\"c\\\\d{}', 'é')",
        "text[]",
        '{"","NULL",NULL,"a,b\\"c\\\\d{}",é}',
    ),
    "none": ("array()", "text[]", None),
    "nothing": ("cast(array() AS ARRAY<BIGINT>)", "bigint[]", "{}"),
    "tinies": ("array(cast(-1 AS TINYINT))", "smallint[]", "{-1}"),
    "moneys": ("array(cast('1.50' AS DECIMAL(10,2)))", "numeric(10,2)[]", "{1.50}"),
    "flags": ("array(true, NULL, false)", "boolean[]", "{t,NULL,f}"),
    "blobs": ("array(X'00ff', X'')", "bytea[]", '{"\\\\x00ff","\\\\x"}'),
    "days": ("array(DATE'2018-11-04', NULL)", "date[]", "{2018-11-04,NULL}"),
    "moments": (
        "array(TIMESTAMP'2018-11-04 03:00:00.5Z')",
        "timestamp with time zone[]",
        '{"2018-11-04 03:00:00.5+00"}',
    ),
    "clocks": (
        "array(TIMESTAMP_NTZ'2018-11-04 00:30:00')",
        "timestamp without time zone[]",
        '{"2018-11-04 00:30:00"}',
    ),
}
VALUES.pop("none")  # Of no type.


def test_values_and_nulls_of_each_type(job: Any) -> None:
    made = ", ".join(f"{sql} AS {name}" for name, (sql, _, _) in VALUES.items())
    nulls = ", ".join(f"IF(id = 2, NULL, {name}) AS {name}" for name in VALUES)
    job.spark.sql(
        f"CREATE TABLE store.v USING parquet AS SELECT id, a, {nulls} "
        f"FROM (SELECT *, {made} FROM store.tx WHERE id < 3)"
    )
    job.run(source={"table": "store.v"}, target=APPEND | {"keep": [*VALUES]})
    types = dict(
        job.server.sql(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'lake.scores'::regclass AND attnum > 0"
        )
    )
    assert {name: types[name] for name in VALUES} == {n: kind for n, (_, kind, _) in VALUES.items()}
    for name, (_, _, text) in VALUES.items():
        found = dict(job.server.sql(f"SELECT id, {name} FROM lake.scores"))
        expected = "-12345678901234567890.123456789" if name == "money" else text
        assert found == {"1": expected, "2": "NULL"}, name


def test_what_is_read_is_what_was_written(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ", ".join(f"{sql} AS {name}" for name, (sql, _, _) in VALUES.items())
    nulls = ", ".join(f"IF(id = 2, NULL, {name}) AS {name}" for name in VALUES)
    query = f"SELECT id, a, {nulls} FROM (SELECT *, {made} FROM store.tx WHERE id < 3)"
    job.spark.sql(f"CREATE TABLE store.v USING parquet AS {query}")
    written = job.spark.table("store.v")
    read = []
    module = "spark_infer.warehouse.run.check_staged"
    from spark_infer.warehouse.rows.checked import check_staged

    def look(staged: Any, config: Any) -> Any:
        columns = ["id", *VALUES]
        assert [staged.df.schema[name].dataType for name in columns] == [
            written.schema[name].dataType for name in columns
        ]
        both = written.select(*columns).exceptAll(staged.df.select(*columns))
        read.append((both.count(), staged.df.count()))
        return check_staged(staged, config)

    monkeypatch.setattr(module, look)
    job.run(source={"table": "store.v"}, target=APPEND | {"keep": [*VALUES]})
    assert read == [(0, 2)]


@pytest.mark.nightly_after(5)
@pytest.mark.parametrize("name", [n for n in VALUES if not VALUES[n][1].endswith("[]")])
def test_keys_of_each_type_are_found_again(job: Any, name: str) -> None:
    job.spark.sql(f"CREATE TABLE store.k USING parquet AS SELECT {VALUES[name][0]} AS id, 1D AS a")
    target = APPEND | {"keep": []}
    assert job.run(source={"table": "store.k"}, target=target).rows_in == 1
    assert job.run(source={"table": "store.k"}, target=target).rows_in == 0
    assert job.server.sql("SELECT count(*) FROM lake.scores") == [("1",)]


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("concat('a', char(0))", r"column 'x' holds a text with the character U\+0000"),
        ("cast(X'61ff' AS STRING)", "column 'x' holds .* bytes that are no UTF-8"),
        ("array('a', char(0))", r"column 'x' holds a text with the character U\+0000"),
        ("date_add(DATE'9999-12-31', 1)", "column 'x' holds a time .* after the year 9999"),
        ("TIMESTAMP'+10000-02-01 00:00:00Z'", "column 'x' holds a time .* after the year 9999"),
        ("TIMESTAMP_NTZ'-0001-01-01 00:00:00'", "column 'x' holds a time before the year 1"),
    ],
)
def test_values_that_cannot_be_held(job: Any, feature: str, message: str) -> None:
    job.run(target=APPEND | {"keep": []})
    before = job.server.sql("SELECT count(*) FROM lake.scores")
    features = {"x": f"IF(id = 2, {feature}, NULL)"}
    with pytest.raises(WarehouseError, match=message) as raised:
        job.run(features=features, target=APPEND | {"keep": ["x"], "table": "lake.others"})
    assert not raised.value.transient
    assert job.tables() == ["scores"]
    assert job.server.sql("SELECT count(*) FROM lake.scores") == before


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        ("named_struct('a', 1)", "struct<a:int>"),
        ("map('a', 1)", "map<string,int>"),
        ("array(array(1))", "array<array<int>>"),
        ("make_dt_interval(id)", "interval day to second"),
    ],
)
def test_types_that_postgresql_does_not_have(job: Any, feature: str, kind: str) -> None:
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    with pytest.raises(WarehouseError, match=f"no type for column 'x', which is {kind}"):
        job.run(source=broken, features={"x": feature}, target=APPEND | {"keep": ["x"]})
    assert job.tables() == []


def test_texts_are_compared_byte_by_byte(job: Any) -> None:
    # By the database's own rules, "a" comes before "B".
    job.server.sql("CREATE COLLATION lake.english (provider = icu, locale = 'en')")
    job.server.sql(
        "CREATE TABLE lake.scores (id int, w text COLLATE lake.english, score real, "
        "rejected_reason text, bundle_name text, bundle_digest text, run_id text, "
        "scored_at timestamptz); ALTER TABLE lake.scores OWNER TO scorer"
    )
    values = "VALUES (1, 1D, 'a'), (2, 2D, 'B'), (3, 3D, 'é') AS t(id, a, w)"
    job.spark.sql(f"CREATE TABLE store.w USING parquet AS SELECT * FROM {values}")
    target = {"keep": ["w"], "partition_by": ["w"]}
    job.run(source={"table": "store.w"}, target=target)
    job.spark.sql("CREATE TABLE store.less USING parquet AS SELECT * FROM store.w WHERE w < 'a'")
    job.run(source={"table": "store.less", "filter": "w < 'C'"}, target=target)
    found = job.server.sql("SELECT id, w FROM lake.scores ORDER BY id")
    assert found == [("1", "a"), ("2", "B"), ("3", "é")]


def test_plans_show_neither_user_nor_password(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = f"guarded{uuid.uuid4().hex}"
    job.server.sql(f"ALTER ROLE guarded PASSWORD '{secret}'; GRANT ALL ON SCHEMA lake TO guarded")
    monkeypatch.setenv("USER_OF_DB", "guarded")
    monkeypatch.setenv("PASSWORD_OF_DB", secret)
    jdbc = {"url": job.server.url(), "user_env": "USER_OF_DB", "password_env": "PASSWORD_OF_DB"}
    report = job.run(target=APPEND | {"jdbc": jdbc})
    store = job.spark._jsparkSession.sharedState().statusStore()
    executions = store.executionsList()
    texts = [
        executions.apply(n).physicalPlanDescription() + executions.apply(n).details()
        for n in range(executions.size())
    ]
    assert any("JDBCRelation" in text for text in texts)
    assert not [text for text in texts if secret in text]
    assert secret not in str(report.to_json())
    assert not [f for f in (job.folder / "reports").iterdir() if secret in f.read_text()]
