"""The page of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from spark_infer.errors import printable
from spark_infer.report.page import drawing, numbers
from spark_infer.report.page.distributions import shown
from spark_infer.report.page.outcome import outcome
from spark_infer.report.page.throughput import throughput

if TYPE_CHECKING:
    from spark_infer.report.run import RunReport

_STEPS = {
    "bundle": "verify the bundle",
    "start": "start Spark",
    "source": "find the rows",
    "check": "prove that all fits together",
    "load": "load the model on an executor",
    "compare": "find what is new or has changed",
    "score": "read, predict, set aside",
    "keys": "look at keys and rejected rows",
    "gate": "measure what was written",
    "quarantine": "keep the rejected rows",
    "write": "publish",
    "recover": "complete or undo earlier runs",
}
_STAGES = (
    ("wait", "waiting for rows", "Spark reads, computes features and hands over", "warehouse"),
    ("load", "loading the model", "once for each worker", "model"),
    ("assemble", "making tensors", "transforms, padding", "model"),
    ("run", "running the model", "what the model itself takes", "model"),
    ("unpack", "making columns", "of the model's outputs", "model"),
)
_COUNTS = {
    "num_batches": "batches",
    "num_splits": "run again in halves, for want of memory",
    "num_bisections": "run again in halves, to find rows at fault",
    "num_oversized": "rows alone, longer than the token budget",
    "num_repeats": "rows answered by an equal row of their window",
    "num_cached": "rows answered from the cache",
    "num_failed": "rows on which the model failed",
}


def page(report: RunReport) -> str:
    """Return the report as HTML: one file without scripts, which needs nothing else.

    Whatever a name or a message holds is shown as text, with characters that cannot be seen (and
    those that turn the direction of writing) as escape sequences.
    """
    return _template().render(
        report=report,
        outcome=outcome(report),
        seconds=numbers.between(report.started_at, report.finished_at),
        steps=_steps(report.seconds),
        stages=_stages(report.batches.get("seconds", {})),
        model_speed=_model_speed(report.batches),
        columns=[{**column, "shown": shown(column)} for column in report.drift],
        counts=_counts(report.batches),
        throughput=throughput(report.throughput),
        reasons=_reasons(report),
        sizes=_shares(report.batches.get("batch_rows", {})),
        lengths=_shares(report.batches.get("row_lengths", {})),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(lambda name: files(__package__).joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["draw"] = drawing
    environment.filters.update(
        count=numbers.count,
        value=numbers.value,
        percent=numbers.percent,
        distance=numbers.distance,
        duration=numbers.duration,
        found=numbers.found,
        moment=numbers.moment,
    )
    return environment.get_template("page.html")


def _finalized(found: Any) -> Any:
    """Return what stands in the page for a value; it is escaped after that, unless drawn here."""
    return found if isinstance(found, Markup) else printable(str(found))


def _steps(seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return each step; where it starts, and how long it is, as shares of all of them."""
    whole = sum(seconds.values()) or 1.0
    steps, at = [], 0.0
    for name, taken in seconds.items():
        steps.append(
            {
                "name": name,
                "meaning": _STEPS.get(name, ""),
                "seconds": taken,
                "start": at / whole,
                "length": taken / whole,
            }
        )
        at += taken
    return steps


def _stages(seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return what the predictors' seconds were spent on."""
    whole = sum(seconds.get(key, 0.0) for key, *_ in _STAGES)
    if not whole:
        return []
    return [
        {
            "name": name,
            "meaning": meaning,
            "side": side,
            "seconds": seconds.get(key, 0.0),
            "share": seconds.get(key, 0.0) / whole,
        }
        for key, name, meaning, side in _STAGES
    ]


def _model_speed(batches: Mapping[str, Any]) -> float | None:
    """Return rows for each second that the model ran in one task."""
    taken = batches.get("seconds", {}).get("run")
    return batches.get("num_predicted", 0) / taken if taken else None


def _counts(batches: Mapping[str, Any]) -> dict[str, int]:
    """Return what was counted, and is not nothing, with its meaning."""
    return {text: batches[key] for key, text in _COUNTS.items() if batches.get(key)}


def _reasons(report: RunReport) -> list[dict[str, Any]]:
    """Return each reason without a prediction, how often it was met, and keys of such rows."""
    return [
        {
            "reason": reject["reason"],
            "count": reject["count"],
            "examples": [
                ", ".join(f"{name}={text}" for name, text in example.items())
                for example in reject["examples"]
            ],
        }
        for reject in report.rejects
    ]


def _shares(found: Mapping[str, int]) -> list[tuple[str, int, float]]:
    most = max(found.values(), default=0)
    return [(size, number, number / most) for size, number in found.items()]
