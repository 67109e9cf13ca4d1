"""Prints what commands return, as text or as JSON."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.table import Table
from rich.text import Text

from spark_infer.bundle import Bundle, Output
from spark_infer.cli import output
from spark_infer.errors import SparkInferError, printable
from spark_infer.report.page import numbers

if TYPE_CHECKING:
    from spark_infer.engine.proof.checks.kept import Tried
    from spark_infer.report import JobPlan, RunReport


def error(problem: SparkInferError) -> None:
    """Print an error's message to standard error."""
    output.tell(type(problem).__name__, f": {problem}", sys.stderr)


def interrupted(by: signal.Signals | None, problem: BaseException, stream: TextIO) -> None:
    """Print that a signal ended the command, and in what state, where that is known."""
    name = "a signal" if by is None else by.name
    state = f": {printable(str(problem))}" if str(problem) else ""
    output.tell("Interrupted", f" by {name}{state}", stream)


def run_report(report: RunReport, directory: str, *, html: bool, as_json: bool) -> None:
    """Print a run report."""
    if as_json:
        json_data(report.to_json())
        return
    places = {"report": str(report.path(directory))}
    if html:
        places["page"] = str(report.page_path(directory))
    facts("", {**report.summary(), **places})
    gate(report.gate)


def job_plan(plan: JobPlan, *, as_json: bool) -> None:
    """Print what a run would do."""
    if as_json:
        json_data(plan.to_json())
        return
    facts("", plan.summary())


def recovered(table: str, completed: Sequence[str]) -> None:
    """Print which runs were completed."""
    runs = ", ".join(completed) or "none was being published"
    facts("", {"target": table, "completed": runs})


def decided(table: str, run_id: str, rows: int | None) -> None:
    """Print what became of a run that was kept."""
    outcome = "dropped" if rows is None else f"published, {rows:,} rows"
    facts("", {"target": table, "run": f"{run_id} {outcome}"})


def gate(results: Sequence[Mapping[str, Any]]) -> None:
    """Print what came of each check; those that are not met stand out."""
    if not results:
        return
    table = Table(
        title="gate", box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left"
    )
    for heading in ("check", "column", "value", "allowed", "outcome"):
        table.add_column(heading, overflow="fold")
    for result in results:
        odd = result["outcome"] in ("warned", "stopped")
        told = [result[key] for key in ("name", "column", "limit", "outcome")]
        cells = [*told[:2], numbers.found(result), *told[2:]]
        texts = (Text(printable(str(cell))) for cell in cells)
        table.add_row(*texts, style="bold yellow" if odd else None)
    output.show(table)


def bundle(bundle: Bundle, tried: Tried | None = None, *, as_json: bool) -> None:
    """Print a bundle's contents, and what came of the rows that it keeps if they were tried."""
    manifest = bundle.manifest
    data = {
        "path": str(bundle.path),
        "digest": bundle.digest,
        **manifest.to_json(),
        "files": bundle.files,
    }
    if tried is not None:
        data["tried"] = dataclasses.asdict(tried)
    if as_json:
        json_data(data)
        return
    base = manifest.base
    known = {
        "bundle": manifest.name,
        "digest": bundle.digest,
        "format": f"{base.format} {base.model.get('module', '')}".strip(),
        "built with": ", ".join(f"{name} {v}" for name, v in manifest.built_with.items()),
    }
    if manifest.stochastic:
        known["stochastic"] = "equal rows may get different predictions; none is shared"
    if not manifest.row_independent:
        known["rows"] = "one at a time, without repeats and cache: they depend on each other"
    if manifest.description:
        known["description"] = manifest.description
    facts("", known)
    # Under a heading of their own: names of metadata are free, and could be those above.
    metadata = {str(name): json.dumps(value) for name, value in manifest.metadata.items()}
    facts("metadata", metadata)
    facts("inputs", {i.name: _describe_input(i.to_json()) for i in manifest.signature.inputs})
    facts("outputs", {o.name: _describe_output(o) for o in manifest.signature.outputs})
    facts("features", manifest.features)
    facts("types of source columns", manifest.source_types)
    facts("files", {name: f"{size:,} bytes" for name, size in bundle.files.items()})
    if tried is not None:
        facts("tried", {"here": _describe_trial(tried)})


_BETWEEN: dict[Any, str] = {dict: "<name>.", tuple: "<number>."}
"""What stands before the keys of a section that is there several times."""


def job_reference(model: type[BaseModel]) -> None:
    """Print the keys of a job file."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for heading in ("key", "default", "meaning"):
        table.add_column(heading, no_wrap=heading == "key")
    for key, info in _keys(model):
        table.add_row(Text(key), Text(_default(info)), Text(info.description or ""))
    output.show(table)


def _keys(model: type[BaseModel], prefix: str = "") -> list[tuple[str, FieldInfo]]:
    rows = []
    for name, info in model.model_fields.items():
        rows.append((f"{prefix}{name}", info))
        nested = [info.annotation, *getattr(info.annotation, "__args__", ())]
        for kind in nested:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                between = _BETWEEN.get(get_origin(info.annotation), "")
                rows += _keys(kind, f"{prefix}{name}.{between}")
    return rows


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    return "" if value in (None, (), {}, "") or isinstance(value, BaseModel) else str(value)


def _describe_input(data: dict[str, Any]) -> str:
    columns = data.get("columns", [])
    source = data.get("column") or ", ".join(_with_rule(c["name"], c["nulls"]) for c in columns)
    parts = [f"{data['kind']} {data['dtype']} from {source}"]
    parts += [f"{key} {data[key]}" for key in ("shape", "fields") if data.get(key)]
    if data.get("min_length"):
        parts.append(f"at least {data['min_length']}")
    if data.get("max_length"):
        parts.append(f"at most {data['max_length']}, then {data['overflow']}")
    if data.get("pad_to"):
        parts.append(f"padded to {data['pad_to']}")
    if data.get("pad_multiple", 1) > 1:
        parts.append(f"padded to a multiple of {data['pad_multiple']}")
    if transform := data.get("transform"):
        options = ", ".join(f"{key} {value}" for key, value in transform.items() if key != "kind")
        parts.append(f"by {transform['kind']} {options}".strip())
    if data["vocabulary"]:
        parts.append(f"by {data['vocabulary']}, unknown {data['unknown_id']}")
    if "column" in data:
        parts.append(f"nulls {data['nulls']}, null items {data['null_items']}")
    if "lengths" in data:
        parts.append(f"another shape {data['lengths']}")
    return "; ".join(parts)


def _with_rule(name: str, rule: object) -> str:
    return name if rule == "reject" else f"{name} (null: {rule})"


def _describe_output(item: Output) -> str:
    parts = [item.dtype]
    if item.shape:
        parts.append(f"shape {list(item.shape)}")
    if item.lengths_of:
        parts.append(f"ragged like {item.lengths_of}")
    if item.labels:
        parts.append(f"labels {', '.join(item.labels)}")
    return "; ".join(parts)


def _describe_trial(tried: Tried) -> str:
    if not tried.num_rows:
        return "the bundle keeps no rows to try it with; save it again"
    if not tried.compared:
        return f"{tried.num_rows} rows were predicted; answers are not compared, as they may differ"
    return (
        f"{tried.num_rows} rows were predicted as when the bundle was saved; the largest "
        f"difference is {tried.largest:.3g}"
    )


def facts(title: str, found: Mapping[str, Any]) -> None:
    """Print facts, a line each, under a title; nothing where there are none."""
    if not found:
        return
    table = Table(box=None, show_header=False, pad_edge=False, title=title or None)
    table.title_justify = "left"
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found.items():
        one_line = printable(name).replace("\n", "\\n")
        table.add_row(Text(one_line), Text(printable(value)))
    output.show(table)


def json_data(data: Any) -> None:
    """Print JSON data, in letters that the stream has."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    # Not ensure_ascii, which would escape all letters but the English ones.
    text = json.dumps(data, indent=2, ensure_ascii=False)
    output.write("".join(_escaped(c, encoding) for c in text) + "\n")


def _escaped(char: str, encoding: str) -> str:
    """Return a character of a JSON text as it is, where that is printable and can be written."""
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(char)[1:-1]
    return char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1]
