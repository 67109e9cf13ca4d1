"""Signals end a command in order; each case is a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from spark_infer.cli.stop import Stop, Stopped

PROGRAM = """
import threading
from spark_infer.cli.stop import Stop, Stopped

stop = Stop()

def command():
    print("started", flush=True)
    {command}

try:
    stop.run(command)
except Stopped as error:
    print(f"stopped: {{error}}", flush=True)
    stop.end()
except ValueError as error:
    print(f"raised: {{error}}", flush=True)
print("done", flush=True)
"""
STEPS = """
    ticks = threading.Event()
    while True:
        ticks.wait(0.01)
        stop.check("write")
"""
ENDS = """
    while stop.signal is None:
        threading.Event().wait(0.01)
"""
RAISES = (
    ENDS
    + """
    raise ValueError("cancelled")
"""
)


def run(command: str, number: signal.Signals) -> tuple[int, list[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(command=command)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(number)
    rest, _ = process.communicate()
    return process.returncode, rest.splitlines()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_ends_before_its_next_step(number: signal.Signals, code: int) -> None:
    found = run(STEPS, number)
    assert found == (code, ["stopped: nothing was written, it was before step 'write'"])


def test_what_the_command_says_itself_is_told() -> None:
    assert run(RAISES, signal.SIGTERM) == (0, ["raised: cancelled", "done"])


def test_a_command_that_is_done_is_done() -> None:
    assert run(ENDS, signal.SIGINT) == (0, ["done"])


def test_a_second_signal_ends_at_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(command="threading.Event().wait()")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    assert process.communicate()[0] == ""
    assert process.returncode == 143


def test_without_a_signal_nothing_changes() -> None:
    stop, seen = Stop(), []
    before = signal.getsignal(signal.SIGINT)
    stop.run(lambda: seen.append(stop.check("a")))
    assert seen == [None]
    with pytest.raises(SystemExit) as caught:
        stop.run(lambda: sys.exit(3))
    assert caught.value.code == 3
    assert signal.getsignal(signal.SIGINT) is before
    assert not issubclass(Stopped, Exception)
