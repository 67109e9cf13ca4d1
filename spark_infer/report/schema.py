"""The JSON schema of run reports."""

from __future__ import annotations

from importlib.resources import files


def report_schema() -> str:
    """Return the schema as JSON (draft 2020-12), by which programs can rely on a report."""
    return files(__package__).joinpath("schema.json").read_text("utf-8")
