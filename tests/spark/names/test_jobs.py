"""A job's columns of any name, under both settings of ``spark.sql.caseSensitive``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError, WarehouseError

pytestmark = pytest.mark.one_spark

TX = "id INT, a DOUBLE, Run_Id STRING, `d.e` INT, `f``g` INT, __rows INT, Day DATE"
VALUES = (
    "(1, 1.0D, 'r1', 11, 12, 13, DATE'2018-08-08'), (2, 2.0D, 'r2', 21, 22, 23, DATE'2018-08-09')"
)


class Double(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1) * 2


def save(path: Path, column: str = "a", output: str = "score", **options: Any) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=[column])], outputs=[si.Output(output)]
    )
    return si.save_bundle(path, Double(), signature=signature, **options)


@pytest.fixture(params=[False, True])
def session(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    """A session by each of both rules, with a database."""
    own = spark.newSession()
    own.conf.set("spark.sql.caseSensitive", str(request.param))
    own.conf.set("spark.sql.session.timeZone", "UTC")
    own.sql("CREATE DATABASE IF NOT EXISTS names")
    own.sql(f"CREATE TABLE names.tx ({TX}) USING parquet")
    own.sql(f"INSERT INTO names.tx VALUES {VALUES}")
    yield own
    own.sql("DROP DATABASE names CASCADE")


def is_exact(session: SparkSession) -> bool:
    return session.conf.get("spark.sql.caseSensitive") == "True"


@pytest.fixture
def run(session: SparkSession, tmp_path: Path) -> Any:
    """Runs a job; keyword arguments replace its keys."""

    def run_job(bundle: si.Bundle, **changes: Any) -> si.RunReport:
        job = {
            "name": "names",
            "source": {"table": "names.tx"},
            "key": ["id"],
            "bundle": {"path": str(bundle.path)},
            "target": {"table": "names.scores", "mode": "append"},
            "report": {"path": str(tmp_path / "reports")},
        }
        file = tmp_path / "job.yaml"
        file.write_text(yaml.safe_dump(job | changes))
        return si.ScoringJob.load(file).run(session)

    return run_job


def append(*keep: str) -> dict[str, Any]:
    return {"table": "names.scores", "mode": "append", "keep": list(keep)}


@pytest.mark.nightly_after(1)
def test_key_and_kept_columns_have_any_name(
    session: SparkSession, run: Any, tmp_path: Path
) -> None:
    bundle = save(tmp_path / "b")
    key, keep = ["d.e", "f`g"], ["__rows", "id"]
    for rows_out in (2, 0):
        assert run(bundle, key=key, target=append(*keep)).rows_out == rows_out
    scored = session.table("names.scores")
    assert scored.columns[:5] == [*key, *keep, "score"]
    assert [tuple(row)[:5] for row in scored.orderBy("id").collect()] == [
        (11, 12, 13, 1, 2.0),
        (21, 22, 23, 2, 4.0),
    ]
    session.sql("DROP TABLE names.scores")
    session.sql("INSERT INTO names.tx SELECT * FROM names.tx WHERE id = 2")
    with pytest.raises(WarehouseError, match=r"d.e=21, f`g=22: 2 row"):
        run(bundle, key=key, target=append(*keep))


@pytest.mark.nightly_after(1)
def test_a_partition_column_has_any_name(session: SparkSession, run: Any, tmp_path: Path) -> None:
    target = {"table": "names.scores", "partition_by": ["d.e"], "keep": ["d.e"]}
    bundle = save(tmp_path / "b")
    for _ in range(2):
        run(bundle, target=target)
    rows = session.sql("SELECT id, score, `d.e` FROM names.scores ORDER BY id").collect()
    assert [tuple(row) for row in rows] == [(1, 2.0, 11), (2, 4.0, 21)]


def test_columns_are_found_as_the_session_finds_them(
    session: SparkSession, run: Any, tmp_path: Path
) -> None:
    bundle = save(tmp_path / "b", column="A")
    changes = {
        "key": ["ID"],
        "target": {"table": "names.scores", "keep": ["day"], "partition_by": ["DAY"]},
    }
    if is_exact(session):
        with pytest.raises(ConfigError, match=r"'DAY' must be one of key or target.keep"):
            run(bundle, **changes)
        changes["target"]["partition_by"] = ["day"]
        with pytest.raises(ConfigError, match=r"key: column 'ID' is missing; did you mean 'id'\?"):
            run(bundle, **changes)
        return
    run(bundle, **changes)
    other = {"table": "names.scores", "keep": ["Day"], "partition_by": ["Day"]}
    run(bundle, key=["id"], target=other)
    rows = session.sql("SELECT id, score, string(day) FROM names.scores ORDER BY id").collect()
    assert [tuple(row) for row in rows] == [(1, 2.0, "2018-08-08"), (2, 4.0, "2018-08-09")]


@pytest.mark.nightly_after(1)
def test_append_finds_the_keys_that_are_there_in_another_case(
    session: SparkSession, run: Any, tmp_path: Path
) -> None:
    bundle = save(tmp_path / "b")
    assert run(bundle).rows_out == 2
    session.sql("INSERT INTO names.tx SELECT 3, a, Run_Id, 0, 0, 0, Day FROM names.tx WHERE id = 1")
    if is_exact(session):
        with pytest.raises(WarehouseError, match=r"column 'ID' is missing.*column 'id' is not wri"):
            run(bundle, key=["ID"], features={"ID": "id"})
        return
    assert run(bundle, key=["ID"]).rows_out == 1
    rows = session.table("names.scores").select("id", "score").orderBy("id").collect()
    assert [tuple(row) for row in rows] == [(1, 2.0), (2, 4.0), (3, 2.0)]


@pytest.mark.parametrize("name", ["run_id", "scored_at", "Bundle_Digest"])
def test_no_column_of_the_job_takes_a_kept_columns_place(
    session: SparkSession, run: Any, tmp_path: Path, name: str
) -> None:
    features = {name: "Run_Id"}
    if is_exact(session) and name == "Bundle_Digest":
        run(save(tmp_path / "b"), features=features, target=append(name))
        rows = session.table("names.scores").orderBy("id").collect()
        assert [row["Bundle_Digest"] for row in rows] == ["r1", "r2"]
        assert len({row["bundle_digest"] for row in rows}) == 1
        return
    with pytest.raises(ConfigError, match=f"'{name}' has the name of a column of the job"):
        run(save(tmp_path / "b"), features=features, target=append(name))
    assert not session.catalog.tableExists("names.scores")


def test_the_sources_own_values_are_kept_or_refused(
    session: SparkSession, run: Any, tmp_path: Path
) -> None:
    bundle = save(tmp_path / "b")
    if not is_exact(session):
        with pytest.raises(
            ConfigError, match=r"'Run_Id' has the name of a column of the job \('run_id'\)"
        ):
            run(bundle, target=append("Run_Id"))
        run(bundle, features={"source_run": "Run_Id"}, target=append("source_run"))
        assert session.table("names.scores").columns[1] == "source_run"
        return
    report = run(bundle, target=append("Run_Id"))
    rows = session.table("names.scores").orderBy("id").collect()
    assert [(row["Run_Id"], row["run_id"]) for row in rows] == [
        ("r1", report.run_id),
        ("r2", report.run_id),
    ]


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("output", ["scored_at", "run_id", "id", "Day"])
def test_no_column_takes_the_place_of_a_prediction(
    session: SparkSession, run: Any, tmp_path: Path, output: str
) -> None:
    with pytest.raises(
        ConfigError, match=f"'{output}' has the name of a (prediction|column of the job|key|target)"
    ):
        run(save(tmp_path / "b", output=output), target=append("Day"))
    assert not session.catalog.tableExists("names.scores")


def test_a_name_that_only_looks_like_one_of_the_jobs_is_another(
    session: SparkSession, run: Any, tmp_path: Path
) -> None:
    """Spark's ``withColumn`` takes the dotless letter for the other."""
    alike = "run_\N{LATIN SMALL LETTER DOTLESS I}d"
    report = run(save(tmp_path / "b"), features={alike: "id * 10"}, target=append(alike))
    rows = session.table("names.scores").orderBy("id").collect()
    assert [(row[alike], row["run_id"]) for row in rows] == [
        (10, report.run_id),
        (20, report.run_id),
    ]


def test_features_of_one_name_are_refused(session: SparkSession, run: Any, tmp_path: Path) -> None:
    features = {"f": "id", "F": "id + 1"}
    if is_exact(session):
        assert run(save(tmp_path / "b", column="F"), features=features).rows_out == 2
        scores = session.table("names.scores").orderBy("id").collect()
        assert [row["score"] for row in scores] == [4.0, 6.0]
        return
    with pytest.raises(ConfigError, match=r"feature 'f' is named twice \('F'\)"):
        run(save(tmp_path / "b", column="F"), features=features)
