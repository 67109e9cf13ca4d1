"""How far a run is, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pty
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("pyspark")

from spark_infer.cli import progress as module
from spark_infer.cli.progress import PlainLines, TerminalLine, told
from spark_infer.warehouse.progress import Progress


def at(seconds: float, step: str = "score") -> Progress:
    return Progress(step=step, seconds=seconds, rows=int(seconds * 10))


def read_all(main: int) -> str:
    """Return what was written to a terminal that is closed by now."""
    pieces = []
    with contextlib.suppress(OSError):  # So its end is told.
        while piece := os.read(main, 10_000):
            pieces.append(piece)
    os.close(main)
    return b"".join(pieces).decode()


@pytest.fixture
def handler() -> Iterator[logging.Handler]:
    """The handler of a command line."""
    found = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(found)
    yield found
    logging.getLogger().removeHandler(found)


def test_elsewhere_a_line_comes_every_ten_seconds_of_a_step(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="spark_infer")
    lines = PlainLines()
    for seconds in (1, 9.9, 10.1, 15, 20.2, 25):
        lines.tell(at(seconds))
    lines.tell(at(3, "keys"))
    lines.tell(at(12, "keys"))
    assert [record.getMessage()[:8] for record in caplog.records] == [
        "score: 1",
        "score: 2",
        "keys: 12",
    ]


def test_without_a_terminal_no_line_is_written_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with told(quiet=False) as on_progress:
        on_progress(at(1))
        on_progress(at(11))
    assert "\r" not in capsys.readouterr().err


@pytest.mark.parametrize("closed", [True, False])
def test_a_stream_that_is_closed_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    with told(quiet=False) as on_progress:
        on_progress(at(1))


def test_quiet_is_quiet_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("spark_infer")
    log.setLevel(logging.INFO)
    with told(quiet=True) as on_progress:
        on_progress(at(99))
        logging.getLogger("spark_infer.warehouse.steps").info("score: 1.0 s")
        logging.getLogger("spark_infer.warehouse.steps").warning("odd")
    assert [record.getMessage() for record in caplog.records] == ["odd"]
    assert log.level == logging.INFO


def test_a_terminal_has_one_line(monkeypatch: pytest.MonkeyPatch, handler: logging.Handler) -> None:
    main, side = pty.openpty()
    monkeypatch.setenv("COLUMNS", "30")
    with os.fdopen(side, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        handler.setStream(terminal)  # type: ignore[attr-defined]
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger("spark_infer").setLevel(logging.INFO)
        with told(quiet=False) as on_progress:
            on_progress(at(1))
            on_progress(at(2))
            logging.getLogger("spark_infer.x").warning("a line of the log")
            on_progress(at(3))
        assert handler.filters == []
        terminal.flush()
    said = read_all(main)
    clear = "\r\x1b[K"
    lines = [f"score: {n} s so far, {n}0 rows, 10 rows/s"[:29] for n in (1, 2, 3)]
    assert said == (
        f"{clear}{lines[0]}{clear}{lines[1]}{clear}a line of the log\r\n{clear}{lines[2]}{clear}"
    )


def test_after_its_end_nothing_is_written() -> None:
    stream = io.StringIO()
    line = TerminalLine(stream)
    line.tell(at(1))
    line.end()
    line.tell(at(2))
    line.end()
    assert (
        stream.getvalue() == f"{module._CLEAR}score: 1 s so far, 10 rows, 10 rows/s{module._CLEAR}"
    )


def test_a_terminal_that_is_gone_does_not_end_the_log() -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise OSError("gone")

    line = TerminalLine(Gone())
    with pytest.raises(OSError, match="gone"):
        line.tell(at(1))
    line._is_there = True
    record = logging.LogRecord("x", logging.INFO, "", 0, "m", (), None)
    assert line.make_room(record) is True
    line.end()
