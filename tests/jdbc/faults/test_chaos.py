"""Runs that are killed at random moments leave the table of an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jdbc.server import JAR

CHAOS = Path(__file__).resolve().parents[3] / "scripts" / "chaos.py"


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", ["append", "merge"])
def test_tables_are_right_after_kills(server: Any, target: str) -> None:
    server.sql(f"CREATE SCHEMA chaos_{target} AUTHORIZATION scorer")
    arguments = ["--runs", "2", "--seed", "3", "--target", target]
    arguments += ["--table", f"chaos_{target}.scores", "--jdbc", server.url()]
    arguments += ["--user-env", "CHAOS_USER", "--spark", f"spark.jars={JAR}"]
    done = subprocess.run(
        [sys.executable, str(CHAOS), *arguments],
        env={**os.environ, "CHAOS_USER": "scorer"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 tables are right after" in done.stdout
    left = f"SELECT tablename FROM pg_tables WHERE schemaname = 'chaos_{target}'"
    assert server.sql(left) == [(f"scores_{target}_0",)]
