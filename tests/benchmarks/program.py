"""The benchmarks as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(*command: str, cache: Path, java: bool = False) -> subprocess.CompletedProcess[str]:
    """Run it however long it takes, without Java on its path or with it."""
    path = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=SCRIPTS,
        env={
            **(path if java else {"PATH": ""}),
            "PYTHONPATH": str(SCRIPTS.parent),
            "XDG_CACHE_HOME": str(cache),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
