"""Tables of files: staged out of sight, published by partitions, completed after a crash."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle.cache.locks import take
from spark_infer.errors import WarehouseError
from spark_infer.warehouse.sinks.files import file_table, publication
from spark_infer.warehouse.sinks.files.partition import Partitions
from spark_infer.warehouse.sinks.files.run_folder import RunFolder

APPEND = {"mode": "append", "partition_by": [], "keep": []}
APPEND_DAYS = {"mode": "append"}
ALL = {"source": {"table": "store.tx"}}
BROKEN = {"a": "if(id = 2, double(raise_error('broken')), a)"}


class Crash(BaseException):
    """Ends a run as a kill does: nothing that would tidy up is done."""


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a context in which a step of publishing is not done, nor anything after it."""

    @contextmanager
    def at(owner: Any, name: str, *, after: bool = False) -> Iterator[None]:
        step = getattr(owner, name)

        def dies(*arguments: Any, **options: Any) -> None:
            if after:
                step(*arguments, **options)
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            # A process that is killed tidies nothing up, and the system drops its locks.
            patch.setattr(RunFolder, "end", lambda run: os.close(run._alive))
            with pytest.raises(Crash):
                yield

    return at


def runs(job: Any) -> list[Path]:
    return sorted((job.location() / "_spark_infer").glob("*"))


def test_no_reader_sees_what_is_staged(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job.run(target=APPEND)
    seen: list[int] = []
    check_rows = file_table.FileTable.check_rows

    def look(sink: Any, *arguments: Any) -> None:
        seen.append(job.spark.read.parquet(str(job.location())).count())
        check_rows(sink, *arguments)

    monkeypatch.setattr(file_table.FileTable, "check_rows", look)
    job.run({"date": "2018-08-09"}, target=APPEND)
    assert seen == [2]
    assert job.spark.read.parquet(str(job.location())).count() == 3


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("there", [False, True])
def test_a_run_that_fails_leaves_nothing(job: Any, there: bool) -> None:
    if there:
        job.run({"date": "2018-08-09"})
    before = sorted(job.location().parent.rglob("*"))
    with pytest.raises(WarehouseError, match="broken"):
        job.run(features=BROKEN)
    twice = {"id": "if(id < 3, 7, id)"}
    with pytest.raises(WarehouseError, match="stand in several rows"):
        job.run(features=twice)
    left = {path for path in job.location().parent.rglob("*") if path.is_file()}
    assert left - set(before) <= {job.location().parent / ".scores.spark_infer.lock"}
    assert job.spark.catalog.tableExists("store.scores") == there


BEGIN, BEGUN = (RunFolder, "begin_publishing", False), (RunFolder, "begin_publishing", True)
MOVED = (publication, "_move", True)
POINT, POINTED = (Partitions, "point", False), (Partitions, "point", True)
END, ENDED = (RunFolder, "end_publishing", False), (RunFolder, "end_publishing", True)


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("target", "step", "first"),
    [
        *(({}, step, True) for step in (BEGIN, BEGUN, POINT)),
        *(({}, step, False) for step in (BEGIN, BEGUN, POINT, POINTED, ENDED)),
        (APPEND_DAYS, POINTED, True),
        *((APPEND_DAYS, step, False) for step in (BEGIN, BEGUN, MOVED, POINT, END)),
        *((APPEND, step, True) for step in (BEGIN, BEGUN, MOVED)),
        *((APPEND, step, False) for step in (BEGIN, MOVED, END)),
    ],
)
def test_a_publication_that_is_killed_is_completed_or_undone(
    job: Any, crash: Any, target: dict[str, Any], step: tuple[Any, str, bool], first: bool
) -> None:
    rows = ["1 2018-08-08", "2 2018-08-08", "3 2018-08-09", "5 2018-08-08"]
    if not first:
        job.run(target=target)
        job.transactions(*rows)
    owner, name, after = step
    with crash(owner, name, after=after):
        job.run(**ALL, target=target)
    job.transactions(*rows, "6 2018-08-10")
    again = job.run(**ALL, target=target)
    ids = {1, 2, 3, 5, 6}
    assert job.scores() == [(n, float(n)) for n in sorted(ids)]
    if target:
        before = set() if first else {1, 2}
        killed = ({1, 2, 3} if first else {3, 5}) if step != BEGIN else set()
        assert again.rows_out == len(ids - before - killed)
    assert not list(job.location().parent.glob(".scores_spark_infer*"))


@pytest.mark.parametrize("target", [{}, APPEND])
def test_a_first_run_that_is_killed_while_it_makes_the_table_is_completed(
    job: Any, crash: Any, target: dict[str, Any]
) -> None:
    with crash(RunFolder, "begin_publishing", after=True):
        job.run(target=target)
    # As Spark does before it tells the catalog.
    job.spark.createDataFrame([], "id INT").write.parquet(str(job.location()))
    (job.location() / "_temporary" / "0").mkdir(parents=True)
    job.load(target=target).recover(job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.parametrize("foreign", ["rows", "notes.txt", "_delta_log", ".hidden"])
def test_a_killed_first_run_removes_no_files_of_others(job: Any, crash: Any, foreign: str) -> None:
    with crash(RunFolder, "begin_publishing", after=True):
        job.run()
    if foreign == "rows":
        job.spark.range(1).write.parquet(str(job.location()))
    else:
        job.location().mkdir()
        (job.location() / foreign).touch()
    before = sorted(job.location().rglob("*"))
    with pytest.raises(WarehouseError, match="already exists"):
        job.load().recover(job.spark)
    assert sorted(job.location().rglob("*")) == before


def test_a_table_is_made_as_the_run_said_that_is_completed(job: Any, crash: Any) -> None:
    with crash(RunFolder, "begin_publishing", after=True):
        job.run(target={"format": "orc"})
    job.load().recover(job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    (made,) = job.spark.sql("SHOW CREATE TABLE store.scores").collect()
    assert "USING orc" in made[0]


def test_a_killed_run_is_completed_by_hand(job: Any, crash: Any) -> None:
    job.run()
    job.transactions("1 2018-08-08", "4 2018-08-08", "3 2018-08-09")
    with crash(Partitions, "point"):
        job.run(**ALL)
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    (completed,) = job.load(**ALL).recover(job.spark)
    rows = job.spark.sql("SELECT DISTINCT run_id FROM store.scores").collect()
    assert [row.run_id for row in rows] == [completed]
    assert job.scores() == [(1, 1.0), (3, 3.0), (4, 4.0)]
    assert job.load(**ALL).recover(job.spark) == ()


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("times", [5, 50])
def test_a_partition_is_wholly_old_or_wholly_new(job: Any, times: int) -> None:
    job.transactions(*(f"{n} 2018-08-0{8 + n % 2}" for n in range(20)))
    job.run(**ALL)
    wrong: list[Any] = []
    num_read = 0
    done = threading.Event()

    def poll() -> None:
        nonlocal num_read
        session = job.spark.newSession()
        while not done.is_set():
            try:
                found = session.sql(
                    "SELECT day, count(*), count(DISTINCT run_id) FROM store.scores GROUP BY day"
                ).collect()
                wrong.extend(row for row in found if tuple(row)[1:] != (10, 1))
                num_read += 1
            except Exception as error:
                wrong.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for _ in range(times):
            job.run(**ALL)
    finally:
        done.set()
        reader.join()
    assert num_read > times
    assert not wrong


@pytest.mark.nightly
def test_what_is_replaced_stays_for_a_day(job: Any) -> None:
    job.run(**ALL)
    (first,) = runs(job)
    planned = job.spark.table("store.scores").select("id")
    planned.explain()
    job.run(**ALL)
    assert len(runs(job)) == 2
    assert planned.count() == 3
    long_ago = time.time() - 2 * 24 * 3600
    for folder in runs(job):
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, (long_ago, long_ago))
    job.run({"date": "2018-08-09"})
    assert first not in runs(job)
    assert len(runs(job)) == 2
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.nightly
def test_folders_of_other_writers_are_replaced_and_cleared_away(job: Any) -> None:
    job.run(**ALL)
    job.spark.sql("CREATE TABLE store.old LIKE store.scores")
    job.spark.table("store.scores").write.insertInto("store.old")
    old = job.location("old") / "day=2018-08-08"
    assert old.is_dir()
    target = {"table": "store.old"}
    job.run(target=target)
    assert old.is_dir()
    folder = job.location("old") / "_spark_infer"
    long_ago = time.time() - 2 * 24 * 3600
    for path in [*folder.rglob("*"), *folder.glob("*")]:
        os.utime(path, (long_ago, long_ago))
    job.run({"date": "2018-08-09"}, target=target)
    assert not old.exists()
    assert job.spark.table("store.old").count() == 3


def test_staging_of_a_dead_run_is_cleared_and_that_of_a_living_one_is_not(job: Any) -> None:
    job.run()
    for name in ("dead", "living"):
        folder = job.location() / "_spark_infer" / name
        (folder / "rows").mkdir(parents=True)
        (folder / "rows" / "part-0.parquet").write_text(name)
        os.close(take(folder / "alive"))
    (job.location() / "_spark_infer" / "begins").mkdir()
    held = take(job.location() / "_spark_infer" / "living" / "alive")
    try:
        job.run()
    finally:
        os.close(held)
    names = {folder.name for folder in runs(job)}
    assert {"living", "begins"} <= names
    assert "dead" not in names


def test_a_damaged_journal_is_told(job: Any) -> None:
    job.run()
    folder = job.location() / "_spark_infer" / "half"
    folder.mkdir()
    for text in ("{", "[]", '{"version": 1}', '{"version": 1, "points": [[1]]}'):
        (folder / "publishing.json").write_text(text)
        with pytest.raises(WarehouseError, match=r"journal .*publishing.json is damaged"):
            job.run()
    (folder / "publishing.json").write_text('{"version": 7}')
    with pytest.raises(WarehouseError, match=r"another spark_infer wrote it \(version 7"):
        job.run()
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly
def test_odd_partitions_are_published_twice(job: Any) -> None:
    odd = ["EU", "a/b", "a=b", "50%", "a:b", "it's", "a\\b", "null", "ä ö", "{a}", "[b]*"]
    job.transactions(*(f"{n} 2018-08-08 {region}" for n, region in enumerate(odd)))
    target = {"keep": ["day", "region"], "partition_by": ["day", "region"]}
    features = {"region": "if(id = 0, NULL, region)"}
    for _ in range(2):
        job.run(target=target, features=features)
        rows = job.spark.sql("SELECT region FROM store.scores ORDER BY id").collect()
        assert [row[0] for row in rows] == [None, *odd[1:]]


def test_how_a_table_compresses_its_files_is_kept(job: Any) -> None:
    import pyarrow.parquet as pq

    job.run()
    columns = job.spark.table("store.scores").schema
    job.spark.sql("DROP TABLE store.scores")
    described = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in columns)
    job.spark.sql(
        f"CREATE TABLE store.scores ({described}) USING parquet OPTIONS (compression 'gzip') "
        "PARTITIONED BY (day)"
    )
    job.run()
    (file,) = job.location().glob("_spark_infer/*/rows/*/*.parquet")
    assert pq.read_metadata(file).row_group(0).column(0).compression == "GZIP"
