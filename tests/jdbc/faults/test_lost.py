"""Connections, rows and attempts that are lost, and runs that meet others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import spark_infer as si
from spark_infer.warehouse.sinks.jdbc.jdbc_table import JdbcTable
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.failures import SqlError
from spark_infer.warehouse.sinks.jdbc.staging import Staging
from tests.jdbc.faults.test_faults import before, fails
from tests.jdbc.test_modes import APPEND, DELETE, FIRST, MERGE, ONE_DAY, OVERWRITE

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


@pytest.mark.nightly_after(2)
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


@pytest.mark.nightly_after(3)
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


def test_an_answer_that_is_lost(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is committed, and its client does not hear of it."""
    transaction = Connection.transaction

    @contextmanager
    def lost(connection: Connection) -> Iterator[None]:
        with transaction(connection):
            yield
        raise SqlError("08006", "An I/O error occurred while sending to the backend.")

    monkeypatch.setattr(Connection, "transaction", lost)
    assert job.run(target=APPEND).rows_out == 3
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


@pytest.mark.nightly_after(1)
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


@pytest.mark.nightly_after(1)
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
