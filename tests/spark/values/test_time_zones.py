"""A job means the same rows whatever the zone of the machine: session zones x machine zones."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

REPOSITORY = Path(__file__).parents[3]
UTC = dt.timezone.utc
ZONES = {
    "UTC": UTC,
    "Europe/Berlin": ZoneInfo("Europe/Berlin"),
    "America/New_York": ZoneInfo("America/New_York"),
    "Pacific/Apia": ZoneInfo("Pacific/Apia"),
    "+02:00": dt.timezone(dt.timedelta(hours=2)),
    "GMT+1": dt.timezone(dt.timedelta(hours=1)),
}
"""Session zones, and what they mean."""

HALF_HOUR = dt.timedelta(minutes=30)
TIMES = [dt.datetime(2018, 8, 7, 14) + n * 2 * HALF_HOUR for n in range(21)]
for start in (  # when the clocks of Berlin and New York change
    dt.datetime(2018, 3, 25, 0),
    dt.datetime(2018, 10, 28, 0),
    dt.datetime(2018, 11, 4, 5),
):
    TIMES += [start + n * HALF_HOUR for n in range(6)]
"""Times of the rows, by number: of the clock in UTC, or without a zone."""

INSTANTS = [time.replace(tzinfo=UTC) for time in TIMES]


def values(literal: str) -> str:
    rows = ", ".join(f"({n}, {literal.format(time)})" for n, time in enumerate(TIMES))
    return f"SELECT * FROM VALUES {rows} AS t(id, ts)"


LTZ_ROWS, NTZ_ROWS = values("TIMESTAMP_LTZ'{}Z'"), values("TIMESTAMP_NTZ'{}'")
CASES: list[dict[str, Any]] = []
EXPECTED: list[Any] = []


def case(expected: Any, zone: str, kind: str, given: str, rows: str, **more: Any) -> None:
    condition = more.pop("condition", "ts >= :p")
    case = {"zone": zone, "kind": kind, "given": given, "rows": rows, "condition": condition}
    CASES.append({**case, "conf": more})
    EXPECTED.append(expected)


def from_instant(instant: dt.datetime) -> list[int]:
    return [number for number, time in enumerate(INSTANTS) if time >= instant]


for name, zone in ZONES.items():
    for text in ("2018-08-08T05:00:00", "2018-08-08"):
        moment = dt.datetime.fromisoformat(text)
        there = from_instant(moment.replace(tzinfo=zone))
        plain = [number for number, time in enumerate(TIMES) if time >= moment]
        case(there, name, "timestamp", text, LTZ_ROWS)
        case(plain, name, "timestamp", text, NTZ_ROWS)
        case(plain, name, "timestamp_ntz", text, NTZ_ROWS)
    for text in (  # among them both hours that the clocks of Berlin show twice
        "2018-08-08T05:00:00+02:00",
        "2018-10-28T02:30:00+02:00",
        "2018-10-28T02:30:00+01:00",
        "2018-11-04T01:30:00-05:00",
    ):
        instant = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
        case(from_instant(instant), name, "timestamp", text, LTZ_ROWS)
    ntz = {"spark.sql.timestampType": "TIMESTAMP_NTZ"}
    there = from_instant(dt.datetime.fromisoformat("2018-08-08T05:00:00").replace(tzinfo=zone))
    case(there, name, "timestamp", "2018-08-08T05:00:00", LTZ_ROWS, **ntz)
    for text in ("2018-03-25T02:30:00", "2018-10-28T02:30:00"):
        moment = dt.datetime.fromisoformat(text)  # a time of no zone is there once, in any session
        later = [number for number, time in enumerate(TIMES) if time >= moment]
        case(later, name, "timestamp_ntz", text, NTZ_ROWS)
    days = "SELECT 1 AS id, DATE'2011-12-30' AS day UNION ALL SELECT 2, DATE'2011-12-31'"
    case([1], name, "date", "2011-12-30", days, condition="day = :p")  # Apia has no such day

for name, text, problem in [
    ("Europe/Berlin", "2018-03-25T02:30:00", "does not exist"),
    ("Europe/Berlin", "2018-10-28T02:30:00", "is there twice"),
    ("America/New_York", "2018-11-04T01:30:00", "is there twice"),
    ("Pacific/Apia", "2011-12-30T12:00:00", "does not exist"),
]:
    case(problem, name, "timestamp", text, LTZ_ROWS)

for text in ("it's", "a\\b", "\\'", "x' OR '1'='1", "\\u0041"):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    rows = f"SELECT 1 AS id, '{quoted}' AS word UNION ALL SELECT 2, 'other'"
    case([1], "UTC", "string", text, rows, condition="word = :p")
for escaped in ("it's", "a\\b"):
    rows = f"SELECT 1 AS id, decode(unhex('{escaped.encode().hex()}'), 'UTF-8') AS word"
    literal = {"spark.sql.parser.escapedStringLiterals": "true"}
    case([1], "UTC", "string", escaped, rows, condition="word = :p", **literal)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("machine", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"])
def test_the_same_rows_on_every_machine(tmp_path: Path, machine: str) -> None:
    (tmp_path / "cases.json").write_text(json.dumps(CASES))
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "TZ": machine, "PYTHONPATH": path}
    environment |= {"PYSPARK_PYTHON": sys.executable, "SPARK_INFER_CACHE": str(tmp_path / "cache")}
    script = Path(__file__).with_name("machine_zone.py")
    command = [sys.executable, str(script), str(tmp_path), str(tmp_path / "cases.json")]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert answers["job"] == ["2018-08-08 05:00:00+00:00", 6, "2018-08-08 05:00:00"]
    for asked, expected, found in zip(CASES, EXPECTED, answers["chosen"], strict=True):
        assert found == expected or (isinstance(expected, str) and expected in found), asked
