"""What goes wrong: one sentence, and nothing half written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import spark_infer as si
from spark_infer.cli.main import exit_code
from spark_infer.errors import ConfigError, SparkInferError, WarehouseError
from spark_infer.warehouse.sinks.jdbc.jdbc_table import JdbcTable
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseName
from spark_infer.warehouse.sinks.jdbc.staging import Staging
from tests.jdbc.test_modes import APPEND, DELETE, FIRST, MERGE, ONE_DAY, OVERWRITE

BROKEN = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
DEAD = "20180808T040000.000000Z-0a1b2c3d"
DIE = """
CREATE SEQUENCE stage.once;
CREATE FUNCTION stage.die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE FUNCTION stage.die_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN
    IF nextval('stage.once') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NULL;
END $$;
GRANT USAGE ON SCHEMA stage TO scorer;
"""


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


@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE, DELETE])
def test_a_table_that_another_has_locked(job: Any, target: dict[str, Any]) -> None:
    job.run(target=target)
    session = job.server.session()
    session.stdin.write("BEGIN; LOCK TABLE lake.scores;\n\\echo locked\n")
    assert session.stdout.readline() == "locked\n"
    try:
        patient = {"jdbc": job.jdbc | {"lock_timeout_seconds": 1}}
        message = fails(
            job, "canceling statement due to lock timeout", code=75, target=target | patient
        )
    finally:
        session.stdin.close()
        session.wait()
    assert "lake.scores" in message
    assert job.scores() == FIRST
    job.run(target=target)
    assert job.tables() == ["scores"]


def test_another_run_that_publishes_for_too_long(job: Any) -> None:
    job.run(target=MERGE)
    session = job.server.session()
    lock = 'SELECT pg_advisory_lock(hashtextextended(\'spark_infer table "lake"."scores"\', 0));'
    session.stdin.write(f"{lock}\n\\echo locked\n")
    assert session.stdout.readline() == "\n"
    try:
        patient = {"jdbc": job.jdbc | {"lock_timeout_seconds": 1}}
        fails(job, r"more than 1 s \(target\.jdbc\.lock_time", code=75, target=MERGE | patient)
    finally:
        session.stdin.close()
        session.wait()
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
    fails(
        job, r"is not in Spark's class path; start Spark with .* spark\.jars", code=2, source=BROKEN
    )


def staged(job: Any, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """Have a trigger on the table that the tasks write to."""
    create = Staging.create_sent

    def created(staging: Staging, *arguments: Any) -> None:
        create(staging, *arguments)
        when = f"BEFORE INSERT ON {staging.sent} EXECUTE FUNCTION stage.{function}()"
        job.server.sql(f"CREATE TRIGGER fault {when}")

    monkeypatch.setattr(Staging, "create_sent", created)


def test_connections_that_are_lost_while_staging(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job.run(target=MERGE)
    job.server.sql(DIE)
    with monkeypatch.context() as patched:
        staged(job, patched, "die")
        job.transactions("1 8 100")
        fails(job, "terminating connection due to administrator command", code=75, target=MERGE)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


def test_a_task_that_is_repeated_doubles_no_row(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job.server.sql(DIE)
    staged(job, monkeypatch, "die_once")
    assert job.run(target=APPEND).rows_out == 3
    assert job.server.sql("SELECT last_value > 1 FROM stage.once") == [("t",)]
    assert job.scores() == FIRST


def test_attempts_that_spark_does_not_count_double_no_row(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a task that runs twice, or has written its rows and is lost before it says so."""

    def again(staging: Staging, connection: Any, schema: Any, attempt: str, counts: Any) -> None:
        assert counts
        job.server.sql(
            f"CREATE TEMP TABLE t AS SELECT * FROM {staging.sent}; "
            f'UPDATE t SET "{attempt}" = "{attempt}" + 1000; '
            f"INSERT INTO {staging.sent} SELECT * FROM t"
        )

    before(monkeypatch, Staging, "settle", again)
    assert job.run(target=OVERWRITE).rows_out == 3
    assert job.scores() == FIRST


def test_rows_that_are_lost_while_staging(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(staging: Staging, *ignored: Any) -> None:
        job.server.sql(f"DELETE FROM {staging.sent} WHERE id = 2")

    before(monkeypatch, Staging, "settle", lose)
    fails(job, "3 rows were scored, and 2 of them are staged", code=75, target=MERGE)
    assert job.tables() == []


@pytest.mark.parametrize(
    "owner", [(Staging, "settle"), (JdbcTable, "check_rows"), (JdbcTable, "publish")]
)
def test_the_runs_own_session_is_lost(
    job: Any, monkeypatch: pytest.MonkeyPatch, owner: tuple[Any, str]
) -> None:
    job.run(target=MERGE)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'spark_infer%'"
    )
    job.transactions("1 8 100")
    before(monkeypatch, *owner, lambda *_: job.server.sql(kill))
    fails(job, r"PostgreSQL: .*; run the same range again", code=75, target=MERGE)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


@pytest.mark.parametrize("target", [OVERWRITE, APPEND, DELETE])
@pytest.mark.parametrize(
    "trigger",
    [
        "TRIGGER fault AFTER INSERT ON lake.scores",
        "CONSTRAINT TRIGGER fault AFTER INSERT ON lake.scores "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    ],
)
def test_the_connection_is_lost_while_publishing(
    job: Any, target: dict[str, Any], trigger: str
) -> None:
    job.run(target=target)
    job.server.sql(f"{DIE} CREATE {trigger} EXECUTE FUNCTION stage.die()")
    job.transactions("1 8 100", "4 9")
    fails(job, "was not written: PostgreSQL: .*; run the same range again", code=75, target=target)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]
    job.server.sql("DROP TRIGGER fault ON lake.scores")
    job.run(target=target)
    assert (4, 9, 8.0) in job.scores()


def test_a_table_that_leaves_rows_out(job: Any) -> None:
    job.run(target=MERGE)
    job.server.sql(
        "CREATE FUNCTION lake.skip() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER skip BEFORE INSERT ON lake.scores FOR EACH ROW EXECUTE FUNCTION lake.skip()"
    )
    fails(job, "it took 2 of 3 rows; look for triggers", code=2, target=MERGE)
    assert job.scores() == FIRST


@pytest.mark.parametrize("there", [True, False])
def test_two_runs_of_different_days_at_once(job: Any, there: bool) -> None:
    if there:
        job.run(target=OVERWRITE)
    job.transactions("1 8 100", "3 9 100")
    jobs = []
    for day in (8, 9):
        job.config["parameters"]["date"]["default"] = f"2018-08-0{day}"
        jobs.append(job.load(source=ONE_DAY, target=OVERWRITE))
    assert at_once(job, jobs) == []
    assert job.scores() == [(1, 8, 200.0), (3, 9, 200.0)]
    assert job.tables() == ["scores"]


@pytest.mark.parametrize("target", [APPEND, DELETE])
def test_two_runs_of_the_same_rows_at_once(job: Any, target: dict[str, Any]) -> None:
    assert at_once(job, [job.load(target=target) for _ in range(2)]) == []
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


def at_once(job: Any, jobs: list[si.ScoringJob]) -> list[Exception]:
    failed = []

    def run(one: si.ScoringJob) -> None:
        try:
            one.run(job.spark)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=[one]) for one in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_a_row_that_another_adds_meanwhile(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job.run(target=APPEND)
    job.transactions("4 8", "5 8")
    add = "INSERT INTO lake.scores (id, day, score) VALUES (4, '2018-08-08', 0.5)"
    before(monkeypatch, JdbcTable, "publish", lambda *_: job.server.sql(add))
    assert job.run(target=APPEND).rows_out == 1
    assert job.scores() == [*FIRST, (4, 8, 0.5), (5, 8, 10.0)]


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
    number = f"hashtextextended('spark_infer run {DEAD}', 0)"
    session = job.server.session()
    session.stdin.write(f"SELECT pg_advisory_lock({number});\n\\echo locked\n")
    assert session.stdout.readline() == "\n"
    job.run(target=MERGE)
    assert len(job.tables()) == 4
    session.stdin.close()
    session.wait()
    assert job.load(target=MERGE).recover(job.spark) == ()
    name = other.rows.rpartition(".")[2].strip('"')
    assert job.tables() == ["scores", name]
    with suppress(ProcessLookupError):
        session.kill()


def test_a_plan_writes_nothing(job: Any) -> None:
    staging = Staging(DatabaseName("lake", "scores"), "lake", DEAD)
    job.server.sql(f"SET ROLE scorer; CREATE TABLE {staging.rows} (id int)")
    assert job.load(target=MERGE).plan(job.spark).writes == "it is created"
    assert len(job.tables()) == 1
    job.run(target=MERGE)
    assert job.load(target=MERGE).plan(job.spark).writes == "rows are updated and added by key (id)"


def test_no_session_is_left(job: Any) -> None:
    job.run(target=MERGE)
    job.load(target=MERGE).plan(job.spark)
    with pytest.raises(WarehouseError):
        job.run(target=DELETE, source=BROKEN)
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'spark_infer%'"
    # A session ends a moment after its client has said so.
    while job.server.sql(query) != [("0",)]:
        pass
