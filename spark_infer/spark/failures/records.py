"""What Spark says of files that are not as their columns were declared, in one sentence each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spark_infer.spark.failures.causes import Cause

_HEADER = re.compile(
    r"CSV header does not conform to the schema\.\s+Header: (.*)\s+Schema: (.*)\s+Expected: .*"
    r"\s+CSV file: (.*)"
)
_WIDTH = re.compile(
    r"Number of column in CSV header is not equal to .*\s+Header length: (\d+), schema size: (\d+)"
    r"\s+CSV file: (.*)"
)
_RECORD = re.compile(
    r"Malformed records are detected in (?:record parsing: (?P<record>.*?)|schema inference)\.\s+"
    r"Parse Mode: FAILFAST\.(?: To process .*? 'PERMISSIVE'\.)?(?P<reason>.*)",
    re.DOTALL,
)
_FILE = re.compile(r"Encountered error while reading file (\S+?)\.?(?:\s|\Z)")
_STATE = re.compile(r" ?\(?SQLSTATE: \w+\)?.*", re.DOTALL)
_BY_POSITION = (
    "declare the columns in the order of the file, or set the reader's option enforceSchema to "
    "true to read them by position"
)
_MAX_LENGTH = 200


def unreadable(causes: Sequence[Cause]) -> str | None:
    """Return what is wrong with a file, and what to do, if that is what the causes say."""
    messages = [cause.message for cause in causes]
    for place, message in enumerate(messages):
        if found := _HEADER.search(message):
            header, schema, file = map(_line, found.groups())
            return (
                f"CSV file {file} has the header {header}, and the columns are {schema}; "
                f"{_BY_POSITION}"
            )
        if found := _WIDTH.search(message):
            header, schema, file = map(_line, found.groups())
            return f"CSV file {file} has a header of {header} columns, not {schema}; {_BY_POSITION}"
        if found := _RECORD.search(message):
            file = next(
                (f"file {name[1]}" for name in map(_FILE.search, messages) if name), "a file"
            )
            record = f", {_line(found['record'])}" if found["record"] else ""
            reason = _line(found["reason"]) or _line(messages[-1] if messages[place + 1 :] else "")
            why = f" ({reason.rstrip('.')})" if reason else ""
            return (
                f"{file} holds a record that cannot be read as its columns say{record}{why}; "
                "correct it or the columns' types, or set the reader's option mode to PERMISSIVE "
                "to take null for what cannot be read"
            )
    return None


def _line(text: str) -> str:
    """Return a text without its SQL state, as one line that is not too long."""
    line = " ".join(_STATE.sub("", text).split())
    return line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}..."
