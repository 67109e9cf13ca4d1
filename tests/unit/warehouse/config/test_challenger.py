"""The challengers of a job file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.spark.names import Names
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile import read_job
from tests.unit.warehouse.readme import example

JOB: dict[str, Any] = {
    "name": "nightly",
    "source": {"table": "tx"},
    "key": ["id"],
    "bundle": {"path": "bundles/fraud"},
    "target": {"table": "scores", "partition_by": ["day"], "keep": ["day"]},
}
ONE = {"path": "bundles/next"}
SHADOW = ONE | {"shadow": True}


def read(folder: Path, settings: Any = None, environment: Any = None, **changes: Any) -> JobConfig:
    file = folder / "job.yaml"
    file.write_text(json.dumps({**JOB, **changes}))
    return read_job(file, settings or {}, environment or {})[0]


def test_defaults_and_settings(tmp_path: Path) -> None:
    assert read(tmp_path).challengers == {}
    found = read(
        tmp_path,
        {"challengers.next.shadow": "true"},
        {
            "SPARK_INFER_SET_CHALLENGERS__NEXT__TOLERANCE": "0.5",
            "SPARK_INFER_SET_CHALLENGERS__OTHER__PATH": "of another job",
        },
        challengers={"next": ONE},
    ).challengers
    assert [*found] == ["next"]
    one = found["next"]
    assert (one.path, one.digest, one.allow_modules) == ("bundles/next", None, ())
    assert (one.shadow, one.tolerance) == (True, 0.5)


@pytest.mark.parametrize(
    ("challengers", "said"),
    [
        ({"next": {}}, "key 'challengers.next.path' is missing"),
        ({"next": ONE | {"shado": True}}, "'challengers.next.shado'; did you mean 'shadow'?"),
        ({"next": ONE | {"digest": "12"}}, "challengers.next.digest: must be the 64 hexadecimal"),
        ({"next": ONE | {"tolerance": -1}}, "challengers.next.tolerance: must be a number that is"),
        ({"next": ONE | {"tolerance": "1e999"}}, "challengers.next.tolerance: "),
        ({"next": {"path": "s3://k:s@b/x"}}, "path of a challenger is a URI that shows a secret"),
        ({"a b": ONE}, "'a b' must begin with a letter and consist of up to 50 letters, digits"),
        ({"1st": ONE}, "'1st' must begin with a letter"),
        ({"next": ONE, "NEXT": ONE}, "'next' and 'NEXT' differ in case only; rename one"),
        (dict.fromkeys("abcd", ONE), "4 challengers are too many, 3 can predict in one job"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, challengers: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, challengers=challengers)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("check", "challengers", "said"),
    [
        ({"max": 0.1}, {}, "gate.0: check disagreement needs a challenger to compare with"),
        ({"max": 0.1, "challenger": "nxt"}, {"next": ONE}, "no challenger 'nxt'; did you mean"),
        ({}, {"next": ONE}, "gate.0: check disagreement needs max"),
        ({"max": 5}, {"next": ONE}, "max is a share of rows from 0 to 1, got 5"),
        ({"max": 0.1, "min": 0}, {"next": ONE}, "check disagreement takes no min"),
    ],
)
def test_a_check_of_disagreement(tmp_path: Path, check: Any, challengers: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, challengers=challengers, gate=[{"check": "disagreement"} | check])
    assert said in str(caught.value)


def test_other_checks_take_no_challenger(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check rows takes no challenger"):
        read(tmp_path, gate=[{"check": "rows", "min": 1, "challenger": "next"}])


def test_readme_says_what_a_job_file_may(tmp_path: Path) -> None:
    found = read(tmp_path, **example("Challengers"))
    assert found.challengers["next"].shadow
    assert found.gate[0].challenger == "next"


APPEND = {"table": "scores", "mode": "append", "keep": ["ts"]}
MERGE = {"table": "scores", "mode": "merge", "keep": ["ts"]}
WATERMARK = {"by": "watermark", "column": "ts"}


@pytest.mark.parametrize(
    ("incremental", "target"),
    [
        ({"by": "content"}, JOB["target"]),
        ({"gone": "mark"}, JOB["target"]),
        ({"by": "content"}, MERGE),
        (WATERMARK, MERGE),
    ],
)
def test_columns_of_challengers_and_rows_that_stay_are_refused(
    tmp_path: Path, incremental: Any, target: Any
) -> None:
    with pytest.raises(ConfigError, match="give each challenger shadow: true, or leave"):
        read(
            tmp_path,
            challengers={"next": ONE, "other": SHADOW},
            incremental=incremental,
            target=target,
        )
    both = {"next": SHADOW, "other": SHADOW}
    read(tmp_path, challengers=both, incremental=incremental, target=target)


def test_rows_that_are_added_are_not(tmp_path: Path) -> None:
    read(tmp_path, challengers={"next": ONE}, incremental=WATERMARK, target=APPEND)


def test_columns_of_challengers_have_names_of_their_own(tmp_path: Path) -> None:
    config = read(tmp_path, challengers={"next": ONE})
    names = Names(case_sensitive=False)
    config.check_columns(names, ["score"], ["next_score", "next_x"])
    for outputs, others, said in (
        (["next_score"], ["NEXT_Score"], "challenger's column 'NEXT_Score' has the name of a"),
        (["score"], ["DAY"], "target.keep column 'day' has the name of a challenger's column"),
        (["score"], ["run_id"], "challenger's column 'run_id' has the name of a column of the job"),
        (["score"], ["a_b_c", "a_b_c"], "challenger's column 'a_b_c' is named twice"),
    ):
        with pytest.raises(ConfigError, match=said):
            config.check_columns(names, outputs, others)
