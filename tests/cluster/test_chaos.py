"""Runs that are killed at random moments leave the table of an undisturbed one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[2] / "scripts" / "chaos.py"


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", ["content", "overwrite", "append", "plain"])
def test_tables_are_right_after_kills(target: str) -> None:
    arguments = ("--runs", "2", "--seed", "2", "--target", target)
    done = subprocess.run(
        [sys.executable, str(CHAOS), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 tables are right after" in done.stdout
