"""How a run ended, in words, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spark_infer.report.page.numbers import count, moment, percent

if TYPE_CHECKING:
    from spark_infer.report.run import RunReport

_TITLES = {
    "done": "Done",
    "dry-run": "Dry run",
    "failed": "Failed",
    "interrupted": "Interrupted",
    "stopped": "Stopped by the gate",
    "published": "Published by hand",
    "dropped": "Dropped by hand",
}
_PASSED = ("done", "dry-run")


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Something to do.

    Attributes:
        text: What it does.
        command: What to type; ``""`` where the report does not know.
    """

    text: str
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        kind: ``good``, ``odd`` or ``bad``.
        title: In one word or few.
        sentence: What happened.
        advice: What to do next, none where nothing is to be done.
    """

    kind: str
    title: str
    sentence: str
    advice: Sequence[Advice] = ()


def outcome(report: RunReport) -> Outcome:
    """Return how a run ended."""
    kind = {"done": "good", "published": "good", "dropped": "odd", "stopped": "odd"}
    kind["dry-run"] = "good"
    warned = sum(result["outcome"] == "warned" for result in report.gate)
    return Outcome(
        kind="odd"
        if report.status in _PASSED and (warned or report.rows_pending)
        else kind.get(report.status, "bad"),
        title=_title(report),
        sentence=_sentence(report, warned),
        advice=_advice(report),
    )


def _title(report: RunReport) -> str:
    title = _TITLES[report.status]
    return f"Dry run: {title.lower()}" if report.dry_run and report.status != "dry-run" else title


def _sentence(report: RunReport, warned: int) -> str:
    if report.status == "dry-run":
        said = (
            f"{_rows(_scored(report))} scored, checked and discarded{_rejected(report)}. "
            f"{report.target} is as it was; a run would have published them.{_pending(report)}"
        )
        return f"{said} The gate warns of {_checks(warned)}." if warned else said
    if report.status == "done":
        said = f"{_rows(_scored(report))} scored and written to {report.target}{_rejected(report)}"
        if report.rows_carried:
            said += f"; {_rows(report.rows_carried)} carried over as they were there"
        if (left := (report.rows_unchanged or 0) - (report.rows_carried or 0)) > 0:
            said += f"; {_rows(left)} left alone"
        said += f".{_pending(report)}"
        return f"{said} The gate warns of {_checks(warned)}." if warned else said
    if report.status == "published":
        return (
            f"The gate had stopped this run, and somebody has published it all the same: "
            f"{_rows(report.rows_out)} written to {report.target}{_rejected(report)}."
        )
    if report.status == "dropped":
        return (
            f"The gate had stopped this run, and somebody has dropped what was kept of it. "
            f"{report.target} is as it was."
        )
    if report.status == "stopped":
        failed = sum(result["outcome"] == "stopped" for result in report.gate)
        return (
            f"{_rows(_scored(report))} scored and not published, because {_checks(failed)} of the "
            f"gate {'is' if failed == 1 else 'are'} not met. {report.target} is as it was."
        )
    where = f"in its step {report.step}" if report.step else "before its first step"
    ended = "was interrupted" if report.status == "interrupted" else "failed"
    told = "" if report.rows_in is None else f"; by then {_rows(report.rows_in)} scored"
    return (
        f"The run {ended} {where}{told}. Unless its reason says otherwise, {report.target} is as "
        "it was."
    )


def _advice(report: RunReport) -> list[Advice]:
    commands = report.commands
    again = commands.get("again", "")
    if report.status == "dry-run":
        return [
            Advice(text="To score the rows and publish them:", command=commands.get("score", ""))
        ]
    if report.status == "stopped" and report.dry_run:
        text = "Look at the checks that are not met. Nothing of a dry run is kept. To try again:"
        return [Advice(text=text, command=again)]
    if report.status == "stopped":
        return [
            Advice(
                text="Look at the checks that are not met. What was scored is kept for seven days. "
                "To publish it all the same:",
                command=commands.get("publish", ""),
            ),
            Advice(text="To drop it:", command=commands.get("drop", "")),
        ]
    if report.status == "dropped":
        return [Advice(text="To score the rows again:", command=again)]
    if report.status not in ("failed", "interrupted"):
        return []
    if report.status == "interrupted":
        text = "To run it again:"
    elif report.transient:
        text = "The cause passes by itself. Run it again:"
    else:
        text = "Do as the reason says, then run it again:"
    advice = [Advice(text=text, command=again)]
    if report.step == "write":
        advice.append(
            Advice(
                text="It ended while it was publishing. What it had begun is completed or undone "
                "by the next run, or at once by:",
                command=commands.get("recover", ""),
            )
        )
    return advice


def _rows(number: int | None) -> str:
    return "1 row was" if number == 1 else f"{count(number)} rows were"


def _checks(number: int) -> str:
    return "1 check" if number == 1 else f"{number} checks"


def _scored(report: RunReport) -> int | None:
    """Return how many rows were predicted or rejected."""
    if report.rows_in is not None and report.rows_pending is not None:
        return report.rows_in - report.rows_pending
    if report.status not in ("done", "published"):
        return report.rows_in
    return report.rows_in if report.rows_carried else report.rows_out


def _pending(report: RunReport) -> str:
    if not report.rows_pending:
        return ""
    are = "1 row is" if report.rows_pending == 1 else f"{count(report.rows_pending)} rows are"
    return (
        f" {are} pending, for which there was no time before {moment(report.deadline)}: the next "
        "run completes them."
    )


def _rejected(report: RunReport) -> str:
    if not report.rows_rejected:
        return ""
    scored = _scored(report) or report.rows_in
    share = f" ({percent(report.rows_rejected / scored)})" if scored else ""
    return f"; {count(report.rows_rejected)} of them{share} got no prediction"
