"""A git repository whose benchmarks take no time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[3] / "scripts" / "bench.py"
SCRIPT = """
import argparse, json, os, signal, sys
from pathlib import Path
{imports}
parser = argparse.ArgumentParser()
parser.add_argument("benchmark", choices=["walk", "run"])
parser.add_argument("--json", type=Path)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--rows", type=int)
options = parser.parse_args()
side = Path(__file__).parents[1].name
with Path(os.environ["LOG"]).open("a") as log:
    print(options.benchmark, side, options.quick, options.rows, file=log)
{body}
options.json.write_text(json.dumps({{"ratios": ratios, "at_most": ["memory"]}}))
"""
IMPORTS = "import spark_infer"
EVEN = 'ratios = {"speed": 2.0}'


class Repository:
    """Its revisions differ in what their benchmarks do."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "repository"
        self.log = folder / "log"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.script = self.root / "scripts" / "bench.py"
        package = self.root / "spark_infer" / "__init__.py"
        for file in (self.script, package):
            file.parent.mkdir(parents=True)
        package.touch()
        (self.root / ".gitignore").write_text("__pycache__/\n")
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout

    def commit(self, body: str, imports: str = IMPORTS) -> None:
        """Commit a benchmark: Python that sets ``ratios``."""
        self.commit_script(SCRIPT.format(imports=imports, body=body))

    def commit_script(self, text: str) -> None:
        self.script.write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(BENCH), "compare", *arguments],
            cwd=self.root,
            env={**os.environ, "LOG": str(self.log), "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What runs in the background may be deaf to Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def compare(self, *arguments: str, benchmarks: str = "walk") -> tuple[int, list[str], str]:
        """Return the exit code, the table's lines with one blank at a time, and what was said.

        The line about what ``same`` hides is left out.
        """
        process = self.start("HEAD~1", "HEAD", f"--benchmarks={benchmarks}", *arguments)
        return self.end(process)

    def end(self, process: subprocess.Popen[str]) -> tuple[int, list[str], str]:
        printed, said = process.communicate()
        self.check_nothing_is_left()
        lines = [re.sub(" +", " ", line).strip() for line in printed.splitlines()]
        table = [line for line in lines if not line.startswith("same: ")]
        return process.returncode, table, said

    def check_nothing_is_left(self) -> None:
        assert len(self.git("worktree", "list").splitlines()) == 1
        assert not (self.root / ".git" / "worktrees").exists()
        assert list(self.temporary.iterdir()) == []
        assert self.git("status", "--porcelain") == ""

    def logged(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()]
