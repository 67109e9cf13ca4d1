"""The gate's section of a job file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_infer.errors import ConfigError
from spark_infer.warehouse.gate.run_gate import command_arguments
from spark_infer.warehouse.jobfile import read_job

JOB: dict[str, Any] = {
    "name": "nightly",
    "source": {"table": "tx"},
    "key": ["id"],
    "bundle": {"path": "bundles/fraud"},
    "target": {"table": "scores", "mode": "append"},
}


def read(folder: Path, gate: Any, settings: dict[str, Any] | None = None) -> Any:
    file = folder / "job.yaml"
    file.write_text(yaml.safe_dump({**JOB, "gate": gate}))
    return read_job(file, settings or {}, {})[0].gate


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"check": "psy", "max": 0.2}, "gate.0.check: check 'psy' is unknown; did you mean 'psi'?"),
        ({"check": "drift"}, "check 'drift' is unknown; one of \\['nulls', "),
        ({"max": 1}, "key 'gate.0.check' is missing"),
        ({"check": "psi", "mx": 0.2}, "unknown key 'gate.0.mx'; did you mean 'max'?"),
        ({"check": "psi"}, "gate.0: check psi needs max"),
        ({"check": "range", "column": "s"}, "gate.0: check range needs min or max"),
        ({"check": "range", "min": 1}, "gate.0: check range needs column"),
        ({"check": "range", "column": "s", "min": 2, "max": 1}, "min 2 is greater than max 1"),
        ({"check": "share_above", "column": "s", "max": 1}, "check share_above needs threshold"),
        ({"check": "rows"}, "check rows needs min or max"),
        ({"check": "rows", "min": 1, "column": "s"}, "check rows takes no column"),
        ({"check": "rejects", "max": 0, "min": 0}, "check rejects takes no min"),
        ({"check": "sql", "expression": "true"}, "check sql needs name"),
        ({"check": "sql", "name": "n"}, "check sql needs expression"),
        ({"check": "sql", "name": "n", "expression": "-- nothing"}, "gate.0.expression: is no SQL"),
        ({"check": "nulls", "max": "many"}, "gate.0.max: must be a number, got 'many'"),
        ({"check": "nulls", "max": True}, "gate.0.max: must be a number, got true"),
        ({"check": "nulls", "max": [1]}, "gate.0.max: must be a number, got \\['1'\\]"),
        ({"check": "nulls", "max": 5}, "max is a share of rows from 0 to 1, got 5"),
        ({"check": "rows", "min": -1}, "min is not negative, got -1"),
        ({"check": "psi", "max": -0.1}, "max is not negative, got -0.1"),
        ({"check": "nulls", "max": float("nan")}, "gate.0.max: must be a number"),
        ({"check": "psi", "max": 1, "action": "halt"}, "gate.0.action: .*'warn' or 'stop'"),
        ({"check": "psi", "max": 1, "against": "yesterday"}, "gate.0.against: .*'previous'"),
        ("psi", "gate.0: must be a section with keys, got 'psi'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, check: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        read(tmp_path, [check])


@pytest.mark.parametrize("gate", [{"psi": 0.2}, "psi", 3])
def test_a_gate_is_a_list(tmp_path: Path, gate: Any) -> None:
    with pytest.raises(ConfigError, match="gate: "):
        read(tmp_path, gate)


def test_a_check_stops_unless_it_says_otherwise(tmp_path: Path) -> None:
    (psi, nulls) = read(
        tmp_path, [{"check": "psi", "max": 0}, {"check": "nulls", "max": 0, "action": "warn"}]
    )
    assert (psi.action, psi.compares_with, psi.max) == ("stop", "profile", 0.0)
    assert nulls.action == "warn"
    assert read(tmp_path, []) == ()


def test_commands_name_what_was_set_and_no_key_of_spark() -> None:
    settings = {"date": "2018-08-08", "report.path": "a b", "spark.hadoop.fs.s3a.secret.key": "x"}
    assert command_arguments("conf/x y.yaml", settings, "RUN") == (
        "'conf/x y.yaml' RUN --set 'report.path=a b'"
    )
    assert command_arguments(None, {}, "RUN") == "JOB RUN"
