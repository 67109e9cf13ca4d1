"""One writer at a time, between threads and processes."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.warehouse.sinks.lock import WriterLock

HOLDER = """
import sys
from pathlib import Path
from spark_infer.warehouse.sinks.lock import WriterLock

lock = WriterLock(Path(sys.argv[1]))
with lock.held("scores"):
    lock.begin()
    print("held", flush=True)
    sys.stdin.read()
    lock.end()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the table until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_writer_that_is_killed_holds_nothing_and_is_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = WriterLock(tmp_path / "scores")
    with holder(tmp_path / "scores") as process:
        process.kill()
        process.wait()
    with lock.held("scores"):
        assert lock.was_interrupted
        lock.end()
    assert not lock.was_interrupted
    assert not caplog.records


def test_a_writer_in_another_process_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with holder(tmp_path / "scores") as process:

        class Ends(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                assert process.stdin is not None
                process.stdin.close()

        handler = Ends()
        logging.getLogger("spark_infer").addHandler(handler)
        try:
            with WriterLock(tmp_path / "scores").held("bank.scores"):
                assert process.wait(60) == 0
        finally:
            logging.getLogger("spark_infer").removeHandler(handler)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == "another run writes table bank.scores; waiting until it is done"


def test_tables_beside_each_other_have_locks_of_their_own(tmp_path: Path) -> None:
    with WriterLock(tmp_path / "a").held("a"), WriterLock(tmp_path / "b").held("b"):
        pass
    assert not (tmp_path / "a").exists()


def test_the_folder_of_the_database_is_made(tmp_path: Path) -> None:
    with WriterLock(tmp_path / "bank.db" / "scores").held("scores"):
        assert [path.name for path in (tmp_path / "bank.db").iterdir()] == [
            ".scores.spark_infer.lock"
        ]


def test_a_lock_that_cannot_be_made_refuses_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lock = WriterLock(tmp_path / "file" / "scores")
    with pytest.raises(WarehouseError, match=r"scores cannot be locked, .*"), lock.held("scores"):
        pass


@pytest.mark.parametrize("step", ["begin", "end"])
def test_a_mark_that_cannot_be_set_is_one_sentence(tmp_path: Path, step: str) -> None:
    mark = tmp_path / ".scores.spark_infer.unfinished"
    if step == "begin":
        mark.symlink_to(tmp_path / "nowhere" / "file")
    else:
        mark.mkdir()
    lock = WriterLock(tmp_path / "scores")
    with pytest.raises(WarehouseError, match=r"the mark of an unfinished write, .*; make its fold"):
        lock.begin() if step == "begin" else lock.end()


def test_a_mark_is_made_in_its_place_or_not_at_all(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "scores")
    lock.begin()
    lock.begin()
    assert lock.was_interrupted
    lock.end()
    mark = tmp_path / ".scores.spark_infer.unfinished"
    mark.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WarehouseError, match="cannot be made, and nothing was written"):
        lock.begin()
    assert not (tmp_path / "elsewhere").exists()


def test_a_name_too_long_for_its_files_is_refused_at_once(tmp_path: Path) -> None:
    longest = tmp_path / ("a" * 231)
    with WriterLock(longest).held("a"):
        WriterLock(longest).begin()
        assert WriterLock(longest).was_interrupted
    for name in ("a" * 232, "\u00e9" * 116, "a" * 1000):
        with pytest.raises(ConfigError, match=r"too long a name .* at most 231 bytes"):
            WriterLock(tmp_path / name)
