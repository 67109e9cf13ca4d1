"""What goes wrong: one sentence, and nothing half written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spark_infer.cli.main import exit_code
from spark_infer.errors import ConfigError, SparkInferError, WarehouseError
from spark_infer.warehouse.sinks.jdbc.jdbc_table import JdbcTable
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseName
from spark_infer.warehouse.sinks.jdbc.staging import Staging
from tests.jdbc.test_modes import APPEND, DELETE, FIRST, MERGE, OVERWRITE

BROKEN = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
LOCK = 'SELECT pg_advisory_lock(hashtextextended(\'spark_infer table "lake"."scores"\', 0))'
DEAD = "20180808T040000.000000Z-0a1b2c3d"


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, do: Callable[..., None]) -> None:
    """Do something before the first call of a method."""
    method = getattr(owner, name)
    left = [do]

    def call(*arguments: Any, **named: Any) -> Any:
        if left:
            left.pop()(*arguments)
        return method(*arguments, **named)

    monkeypatch.setattr(owner, name, call)


def fails(job: Any, message: str, *, code: int, **changes: Any) -> str:
    """Run a job that fails, and return its message."""
    with pytest.raises(SparkInferError, match=message) as raised:
        job.run(**changes)
    assert exit_code(raised.value) == code, str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Exception" not in str(raised.value)
    return str(raised.value)


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("IF(id = 2, NULL, id)", r"0 value\(s\) stand in several rows, 1 hold a null \(id=None"),
        ("IF(id = 2, 1, id)", r"1 value\(s\) stand in several rows, 0 hold a null \(id=1: 2 row"),
    ],
)
def test_keys_of_the_source(job: Any, target: dict[str, Any], key: str, message: str) -> None:
    job.run(target=target)
    query = (
        f"CREATE TABLE store.bad USING parquet AS SELECT {key} AS id, 9D AS a, day FROM store.tx"
    )
    job.spark.sql(query)
    if target is APPEND:
        job.server.sql("DELETE FROM lake.scores")
    before = job.scores()
    fails(job, message, code=2, source={"table": "store.bad"}, target=target)
    assert job.scores() == before
    assert job.tables() == ["scores"]


def test_keys_that_the_target_repeats_or_lacks(job: Any) -> None:
    job.run(target=APPEND)
    job.server.sql(
        "ALTER TABLE lake.scores DROP CONSTRAINT scores_pkey; "
        "ALTER TABLE lake.scores ALTER id DROP NOT NULL; "
        "INSERT INTO lake.scores SELECT * FROM lake.scores WHERE id = 1; "
        "INSERT INTO lake.scores SELECT NULL, day FROM lake.scores WHERE id = 2"
    )
    job.transactions("1 8 100", "4 9")
    assert job.run(target=APPEND).rows_out == 1
    assert job.server.sql("SELECT count(*), count(id) FROM lake.scores") == [("6", "5")]
    job.server.sql("DELETE FROM lake.scores WHERE id = 1; CREATE UNIQUE INDEX ON lake.scores (id)")
    assert job.run(target=MERGE).rows_out == 2
    assert job.server.sql("SELECT count(*), count(id) FROM lake.scores") == [("5", "4")]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
def test_columns_that_have_drifted_are_refused_before_reading(
    job: Any, target: dict[str, Any]
) -> None:
    job.run(target=target)
    job.server.sql("ALTER TABLE lake.scores ADD note text")
    fails(job, "column 'note' is not written", code=2, source=BROKEN, target=target)
    job.server.sql(
        "ALTER TABLE lake.scores DROP note; ALTER TABLE lake.scores ALTER id TYPE bigint"
    )
    fails(job, "column 'id' is bigint, not integer", code=2, source=BROKEN, target=target)
    job.server.sql("ALTER TABLE lake.scores RENAME score TO scores")
    fails(job, "column 'score' is missing", code=2, source=BROKEN, target=target)


def test_columns_that_drift_while_a_run_scores(monkeypatch: pytest.MonkeyPatch, job: Any) -> None:
    job.run(target=MERGE)
    alter = "ALTER TABLE lake.scores ADD note text"
    before(monkeypatch, JdbcTable, "publish", lambda *_: job.server.sql(alter))
    fails(job, "column 'note' is not written", code=2, target=MERGE)
    assert job.tables() == ["scores"]


def test_a_view_is_no_target(job: Any) -> None:
    job.server.sql("CREATE VIEW lake.scores AS SELECT 1 AS id")
    fails(job, "is no table, but a view", code=2, source=BROKEN, target=MERGE)


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE, DELETE])
def test_a_table_that_another_has_locked(job: Any, target: dict[str, Any]) -> None:
    job.run(target=target)
    patient = target | {"jdbc": job.jdbc | {"lock_timeout_seconds": 1}}
    with job.server.holding("BEGIN; LOCK TABLE lake.scores"):
        message = fails(job, "due to lock timeout", code=75, target=patient)
    assert message.startswith("target table 'lake.scores'")
    assert "for more than 1 s (target.jdbc.lock_timeout_seconds): see pg_locks" in message
    assert job.scores() == FIRST
    job.run(target=target)
    assert job.tables() == ["scores"]


def test_another_run_that_publishes_for_too_long(job: Any) -> None:
    job.run(target=MERGE)
    patient = MERGE | {"jdbc": job.jdbc | {"lock_timeout_seconds": 1}}
    with job.server.holding(LOCK):
        fails(job, r"more than 1 s \(target\.jdbc\.lock_time", code=75, target=patient)
    job.run(target=MERGE)


def test_users_without_rights(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job.run(target=MERGE)
    monkeypatch.setenv("SCORER", "reader")
    fails(
        job, 'GRANT USAGE, CREATE ON SCHEMA "lake" TO "reader"', code=2, source=BROKEN, target=MERGE
    )
    job.server.sql(
        "GRANT USAGE, CREATE ON SCHEMA lake TO reader; GRANT SELECT ON lake.scores TO reader"
    )
    message = (
        r'user \'reader\' may not INSERT, UPDATE there; GRANT SELECT, INSERT, UPDATE ON "lake"'
    )
    fails(job, message, code=2, source=BROKEN, target=MERGE)
    monkeypatch.setenv("SCORER", "scorer")
    job.server.sql("ALTER ROLE scorer SET default_transaction_read_only = on")
    try:
        fails(job, "transactions of this user only read", code=2, source=BROKEN, target=MERGE)
    finally:
        job.server.sql("ALTER ROLE scorer RESET default_transaction_read_only")
    table = MERGE | {"table": "missing.scores"}
    fails(job, "schema 'missing' is not there; CREATE SCHEMA", code=2, source=BROKEN, target=table)


def test_a_wrong_password(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORER", "guarded")
    monkeypatch.setenv("PASSWORD", "hunter2")
    target = MERGE | {"jdbc": job.jdbc | {"password_env": "PASSWORD"}}
    message = fails(job, "password authentication failed", code=2, source=BROKEN, target=target)
    assert "hunter2" not in message
    assert message.endswith("correct what target.jdbc's user and password name")


def test_a_password_in_a_file(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job.server.sql(
        "ALTER ROLE guarded PASSWORD 'se cret''\\ü'; GRANT ALL ON SCHEMA lake TO guarded"
    )
    monkeypatch.setenv("SCORER", "guarded")
    file = job.folder / "password"
    target = MERGE | {"jdbc": job.jdbc | {"password_file": str(file)}}
    fails(job, "password: .* cannot be read", code=2, source=BROKEN, target=target)
    file.write_text("se cret'\\ü\n", encoding="utf-8")
    job.run(target=target)
    assert job.scores() == FIRST


def test_a_server_that_is_out_of_reach(job: Any) -> None:
    target = MERGE | {"jdbc": job.jdbc | {"url": "jdbc:postgresql://127.0.0.1:1/postgres"}}
    fails(job, "Connection to 127.0.0.1:1 refused", code=75, source=BROKEN, target=target)
    target = MERGE | {"jdbc": job.jdbc | {"url": job.server.url("nowhere")}}
    fails(job, 'database "nowhere" does not exist', code=2, source=BROKEN, target=target)


def test_a_driver_that_is_not_there(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = "spark_infer.warehouse.sinks.jdbc.postgresql.connection.DRIVER"
    monkeypatch.setattr(driver, "org.postgresql.Missing")
    advice = r"is not in Spark's class path; start Spark with .* spark\.jars"
    fails(job, advice, code=2, source=BROKEN, target=MERGE)


def test_sql_in_a_parameter_is_a_value(job: Any) -> None:
    job.run(target=APPEND)
    value = "'; DROP TABLE lake.scores; --\\"
    job.config["parameters"] = {"w": {"type": "string", "default": value}}
    query = (
        "CREATE TABLE store.w USING parquet AS SELECT id + 3 AS id, a, day, :w AS w FROM store.tx"
    )
    job.spark.sql(query, args={"w": value})
    target = {"table": "lake.others", "keep": ["w"], "partition_by": ["w"]}
    for _ in range(2):
        job.run(source={"table": "store.w", "filter": "w = :w"}, target=target)
    assert job.server.sql("SELECT count(*), min(w) FROM lake.others") == [("3", value)]
    assert job.scores() == FIRST


@pytest.mark.parametrize(
    "table", ['scores"; DROP TABLE x; --', "a.b.c", "lake.scores x", "", "lake."]
)
def test_sql_in_a_name_is_refused(job: Any, table: str) -> None:
    with pytest.raises(ConfigError, match=r"target: table .* (must be \[schema\.\]table|63 bytes)"):
        job.load(target=MERGE | {"table": table})


def test_what_a_dead_run_has_left_is_dropped_and_a_living_ones_not(job: Any) -> None:
    staging = Staging(DatabaseName("lake", "scores"), "lake", DEAD)
    other = Staging(DatabaseName("lake", "others"), "lake", DEAD)
    create = "SET ROLE scorer; CREATE TABLE {} (id int); CREATE TABLE {} (id int);"
    job.server.sql(create.format(staging.rows, staging.sent))
    job.server.sql(f"SET ROLE scorer; CREATE TABLE {other.rows} (id int)")
    lock = f"SELECT pg_advisory_lock(hashtextextended('spark_infer run {DEAD}', 0))"
    with job.server.holding(lock):
        job.run(target=MERGE)
        assert len(job.tables()) == 4
    while len(job.tables()) == 4:  # A session ends a moment after its client.
        assert job.load(target=MERGE).recover(job.spark) == ()
    assert job.tables() == ["scores", f"{other.begin}{DEAD}"]


def test_a_plan_writes_nothing(job: Any) -> None:
    staging = Staging(DatabaseName("lake", "scores"), "lake", DEAD)
    job.server.sql(f"SET ROLE scorer; CREATE TABLE {staging.rows} (id int)")
    assert job.load(target=MERGE).plan(job.spark).writes == "it is created"
    assert len(job.tables()) == 1
    job.run(target=MERGE)
    plan = job.load(target=MERGE).plan(job.spark)
    assert plan.writes == "rows are updated and added by key (id)"
    assert 'ON CONFLICT ("id") DO UPDATE SET' in str(plan)


def test_a_replay_is_refused(job: Any) -> None:
    run = job.run(target=MERGE).run_id
    with pytest.raises(WarehouseError, match="is in a database, and replay reads tables of Spark"):
        job.load(target=MERGE).replay(run, {"id": "1"}, job.spark)


def test_no_session_is_left(job: Any) -> None:
    job.run(target=MERGE)
    job.load(target=MERGE).plan(job.spark)
    with pytest.raises(WarehouseError):
        job.run(target=DELETE, source=BROKEN)
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'spark_infer%'"
    # A session ends a moment after its client has said so.
    while job.server.sql(query) != [("0",)]:
        pass
