"""The standard streams, which may be closed, full, or lack letters."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from spark_infer.errors import ConfigError, is_full

_MOST_COLUMNS = 10_000


def write(text: str) -> None:
    """Write a text to standard output; letters that it lacks become escape sequences.

    Raises:
        ConfigError: It is closed or full.
    """
    with _standard_output() as stream:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def show(what: RenderableType, *, as_wide_as_needed: bool = False) -> None:
    """Write what rich draws to standard output. Errors are those of ``write``.

    Args:
        what: What to draw.
        as_wide_as_needed: Whether lines may be longer than the terminal is wide, which then breaks
            them: of many columns, each would be a letter wide there.
    """
    with _standard_output() as stream:
        console = Console(file=stream, highlight=False, emoji=False)
        if as_wide_as_needed:
            wide = console.options.update(max_width=_MOST_COLUMNS)
            console.width = max(console.width, console.measure(what, options=wide).maximum)
        with console.capture() as captured:
            console.print(what)
    write(captured.get())


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    stream, transient = sys.stdout, False
    if is_closed(stream):
        problem = "it is closed"
    else:
        try:
            yield stream
            return
        except BrokenPipeError:
            silence(stream)  # Whoever has stopped reading, such as head, has read enough.
            return
        except OSError as error:
            problem, transient = error.strerror or str(error), is_full(error)
            silence(stream)
    raise ConfigError(
        f"the result cannot be written to standard output: {problem}", transient=transient
    )


def tell(title: str, text: str, stream: TextIO) -> None:
    """Write a line to an error stream, where somebody can read it.

    Args:
        title: How it begins, in red.
        text: What follows, as it is: nothing in it is markup.
        stream: The stream.
    """
    if is_closed(stream):
        return
    try:
        line = Text.assemble((title, "bold red"), text)
        Console(file=stream, soft_wrap=True, highlight=False, emoji=False).print(line)
        stream.flush()
    except (OSError, SystemExit):  # By the latter rich says that nobody reads.
        silence(stream)


def is_closed(stream: TextIO | None) -> bool:
    """Return whether a stream was closed, by this process or the one that started it."""
    return stream is None or stream.closed


def silence(stream: TextIO) -> None:
    """Drop what is still to be written: Python tries again at the end, for another exit code."""
    with contextlib.suppress(OSError):  # It has no file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
