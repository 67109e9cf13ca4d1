"""What somebody else has put where runs keep what they are about to publish."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_infer.errors import ConfigError, GateError, WarehouseError
from tests.unit.warehouse.sinks.test_journal import holding, of_class

RUN = "20180808T040000.000000Z-0a1b2c3d"
JOURNAL = {
    "version": 1,
    "run_id": RUN,
    "created": None,
    "format": "parquet",
    "partition_by": ["day"],
    "points": [],
    "moves": [],
    "replaced": [],
}
NEVER = {"check": "range", "action": "stop", "column": "score", "max": 0}


@pytest.fixture
def treasure(tmp_path: Path) -> Path:
    folder = tmp_path / "treasure" / "chest"
    folder.mkdir(parents=True)
    (folder / "gold").write_text("gold")
    return folder


def age(*folders: Path) -> None:
    long_ago = time.time() - 2 * 24 * 3600
    for folder in folders:
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, (long_ago, long_ago))


def test_journals_change_nothing_but_their_table(job: Any, treasure: Path) -> None:
    job.run()
    folder = job.location() / "_spark_infer" / RUN
    file = folder / "publishing.json"
    (folder / "rows" / "day=2018-08-08").mkdir(parents=True)
    (folder / "rows" / "part-0").touch()
    (job.location() / "link").symlink_to(treasure)
    up = os.path.relpath(treasure, folder)
    (before,) = [place for place in (job.location() / "_spark_infer").iterdir() if place != folder]
    damaged: list[dict[str, Any]] = [
        {"moves": [[f"{up}/gold", ""]]},
        {"moves": [[f"rows/../{up}/gold", ""]]},
        {"moves": [[str(treasure / "gold"), ""]]},
        {"points": [[["2018-08-08"], up]]},
        {"run_id": before.name},
        {"run_id": f"../{RUN}"},
        {"format": "jdbc"},
    ]
    others: list[dict[str, Any]] = [
        {"moves": [["rows/part-0", f"file:{treasure}"]]},
        {"moves": [["rows/part-0", f"file:{job.location()}/../other"]]},
        {"moves": [["rows/part-0", f"file:{job.location()}/link"]]},
        {"points": [[["2018-08-08", "EU"], "rows/day=2018-08-08"]]},
        {"points": [[[], "rows"]]},
    ]
    for said, changes in (("is damaged", damaged), ("is not one of table", others)):
        for change in changes:
            file.write_text(json.dumps({**JOURNAL, **change}))
            with pytest.raises(WarehouseError, match=said):
                job.load().recover(job.spark)
    for content in (b"\xff\xfe", b"[" * 100_000):
        file.write_bytes(content)
        with pytest.raises(WarehouseError, match=r"cannot be read: it is no text|is damaged"):
            job.load().recover(job.spark)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(WarehouseError, match="it is no plain file"):
        job.load().recover(job.spark)
    file.unlink()
    replaced = [f"file:{job.location()}/{place}" for place in ("../treasure", f"{up}", "link/gold")]
    planted = {**JOURNAL, "replaced": [*replaced, f"file:{treasure}", f"file:{job.location()}"]}
    (folder / "published.json").write_text(json.dumps(planted))
    age(folder)
    job.load().recover(job.spark)
    assert (treasure / "gold").read_text() == "gold"
    assert job.scores() == [(1, 1.0), (2, 2.0)]


def test_a_journal_of_a_table_without_partitions_points_at_none(job: Any) -> None:
    plain = {"target": {"mode": "append", "partition_by": []}}
    job.run(**plain)
    file = job.location() / "_spark_infer" / RUN / "publishing.json"
    (file.parent / "rows").mkdir(parents=True)
    for values in ([], ["2018-08-08"]):
        file.write_text(json.dumps({**JOURNAL, "partition_by": [], "points": [[values, "rows"]]}))
        with pytest.raises(WarehouseError, match="is not one of table"):
            job.load(**plain).recover(job.spark)
    assert file.exists()


def test_links_of_others_are_not_cleared_away(job: Any, treasure: Path) -> None:
    job.run()
    runs = job.location() / "_spark_infer"
    (runs / "linked").symlink_to(treasure.parent)
    age(treasure.parent)
    job.load().recover(job.spark)
    assert (treasure / "gold").exists()
    runs.rename(runs.with_name("_aside"))
    runs.symlink_to(treasure.parent)
    for again in (job.run, lambda: job.load().recover(job.spark)):
        with pytest.raises(WarehouseError, match="_spark_infer is a symbolic link"):
            again()
    assert (treasure / "gold").exists()


def test_what_is_kept_brings_no_sql_and_no_files_names(job: Any, tmp_path: Path) -> None:
    with pytest.raises(GateError):
        job.run(gate=[NEVER])
    (file,) = job.location().parent.glob("*/*/kept.json")
    kept = json.loads(file.read_text())

    def plant(**about: Any) -> None:
        file.write_text(json.dumps({**kept, "about": {**kept["about"], **about}}))

    run, coverage = file.parent.name, kept["about"]["coverage"]
    for key in ("filter", "rows", "partitions"):
        plant(coverage={**coverage, key: "day = reflect('java.lang.System', 'gc')"})
        with pytest.raises(ConfigError, match=r"says another filter, rows or target\.partitions"):
            job.load().publish(run, job.spark)
    for about in ({"coverage": 1}, {"coverage": {}}, {"parameters": []}, {"parameters": {"a": 1}}):
        plant(**about)
        with pytest.raises(WarehouseError, match=f"what is kept of run {run} is damaged; drop it"):
            job.load().publish(run, job.spark)
    plant(history="../planted.json")
    job.load().publish(run, job.spark)
    assert not (tmp_path / "planted.json").exists()
    assert job.scores() == [(1, 1.0), (2, 2.0)]


def test_no_file_of_a_source_brings_code(job: Any, tmp_path: Path) -> None:
    folder, planted = tmp_path / "files", tmp_path / "planted"
    folder.mkdir()
    said = {"org.apache.spark.sql.parquet.row.metadata": holding(of_class(planted))}
    pq.write_table(pa.table({"a": [1.0]}).replace_schema_metadata(said), folder / "part.parquet")
    source = {"path": str(folder)}
    for call in (job.run, lambda **read: job.load(**read).plan(job.spark)):
        with pytest.raises(WarehouseError, match="of column a that it is of a class of Python"):
            call(source=source)
    assert not planted.exists()
