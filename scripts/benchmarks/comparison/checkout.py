"""A revision's files in a folder of their own, for as long as they are needed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.comparison.errors import ComparisonError

BENCH = Path("scripts") / "bench.py"


@contextmanager
def checked_out(what: str, folder: Path) -> Iterator[Path]:
    """Yield a checkout: the folder named, or a git worktree that is removed at the end.

    Args:
        what: A folder with ``scripts/bench.py``, which is used as it stands, or a revision of the
            git repository of the working directory.
        folder: Where the worktree is made; not there yet.

    Raises:
        ComparisonError: It is neither, or the revision has no ``scripts/bench.py``.
    """
    if (Path(what) / BENCH).is_file():
        yield Path(what).resolve()
        return
    commit = _commit(what)
    try:
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        if not (folder / BENCH).is_file():
            raise ComparisonError(f"the revision {what!r} has no {BENCH}; choose one that has it")
        yield folder.resolve()
    finally:
        # Twice: also while git still holds a lock on a worktree whose making was interrupted.
        _run_git("worktree", "remove", "--force", "--force", str(folder))


def _commit(revision: str) -> str:
    found = _run_git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise ComparisonError(
            f"{revision!r} is neither a folder with {BENCH} nor a revision of a git repository at "
            f"{Path.cwd()}; name one of them"
        )
    return found.stdout.strip()


def _git(*arguments: str) -> None:
    done = _run_git(*arguments)
    if done.returncode:
        raise ComparisonError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")


def _run_git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], check=False, capture_output=True, text=True)
