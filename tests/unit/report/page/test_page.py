"""The page of a run."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from spark_infer.report import RunReport
from spark_infer.report.page import page
from tests.unit.report.reports import RUN_ID, challenger, checked, column, full_report


class Parsed(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.ends: list[str] = []
        self.others: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.ends.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def text_of(**changes: Any) -> str:
    """Return what a person reads on the page of a report."""
    return Parsed(page(full_report(**changes))).text


def test_a_run_that_is_done_says_what_came_of_it() -> None:
    text = text_of(gate=[])
    assert (
        "Done 1,204,331 rows were scored and written to bank.predictions; 412 of them (<0.1%) got "
        "no prediction. Rows to score 1,204,331 Rows written 1,204,331 Without prediction 412 Rows "
        "a second 6,638 Took 3 min 41 s Time"
    ) in text
    assert "score read, predict, set aside 3 min 01 s" in text
    assert "Scoring took 3 min 01 s on the wall clock, 6,638 rows a second" in text
    assert "The model alone predicted 2,731 rows for each second" in text
    assert "waiting for rows warehouse: Spark reads, computes features" in text
    assert "running the model model: what the model itself takes 6 min 43 s 57.4%" in text
    assert "positions that are no padding 95.6%" in text
    assert "Rows by their length Length, up to Rows 8 40,211 16 310,300" in text
    assert "source bank.transactions where tx_date = :date" in text
    assert f"digest {'4f1a9b3c' * 8}" in text


def test_sections_come_in_the_order_in_which_they_are_needed() -> None:
    text = page(full_report())
    assert re.findall("<h2>(.*?)</h2>", text) == [
        *("Time", "Rows a second over time", "Rows without a prediction", "Predictions"),
        *("Drift", "Challengers", "Gate", "Batches", "What took part"),
    ]
    assert text.index("<h1>Done</h1>") < text.index("Rows to score") < text.index("<h2>Time")


@pytest.mark.parametrize(
    ("changes", "said", "commands"),
    [
        (
            {"status": "stopped", "step": "gate", "reason": "psi is 0.31", "rows_out": None}
            | {"gate": [checked("psi", "stopped"), checked("ks", "stopped"), checked("rows")]},
            "Stopped by the gate 1,204,331 rows were scored and not published, because 2 checks of "
            "the gate are not met. bank.predictions is as it was. psi is 0.31 Look at",
            ["publish", "drop"],
        ),
        (
            {"status": "failed", "step": "score", "reason": "it broke", "rows_in": None},
            "Failed The run failed in its step score. Unless its reason says otherwise, "
            "bank.predictions is as it was. it broke Do as the reason says, then run it again:",
            ["again"],
        ),
        (
            {"status": "failed", "step": "write", "reason": "lost", "transient": True},
            "Failed The run failed in its step write; by then 1,204,331 rows were scored. Unless "
            "its reason says otherwise, bank.predictions is as it was. lost The cause passes by "
            "itself. Run it again:",
            ["again", "recover"],
        ),
        (
            {"status": "interrupted", "step": "keys", "reason": "stop", "rows_in": 1},
            "Interrupted The run was interrupted in its step keys; by then 1 row was scored. "
            "Unless its reason says otherwise, bank.predictions is as it was. stop To run it",
            ["again"],
        ),
        (
            {"status": "failed", "step": "", "reason": "no Java"},
            "The run failed before its first step",
            ["again"],
        ),
        (
            {"status": "published", "rows_rejected": 0, "gate": [checked("psi", "stopped")]},
            "Published by hand The gate had stopped this run, and somebody has published it all "
            "the same: 1,204,331 rows were written to bank.predictions. Rows to score",
            [],
        ),
        (
            {"status": "dropped"},
            "somebody has dropped what was kept of it. bank.predictions is as it was. To score",
            ["again"],
        ),
        (
            {"gate": [checked("psi", "warned"), checked("ks", "warned")]},
            "got no prediction. The gate warns of 2 checks. Rows to score",
            [],
        ),
        ({"rows_rejected": 0, "rows_out": 1, "gate": []}, "1 row was scored and written to", []),
        (
            {"status": "dry-run", "dry_run": True, "rows_out": 0},
            "Dry run 1,204,331 rows were scored, checked and discarded; 412 of them (<0.1%) got no "
            "prediction. bank.predictions is as it was; a run would have published them. The gate "
            "warns of 1 check. To score the rows and publish them:",
            ["score"],
        ),
        (
            {"status": "stopped", "dry_run": True, "step": "gate", "rows_out": None}
            | {"gate": [checked("psi", "stopped")]},
            "Dry run: stopped by the gate 1,204,331 rows were scored and not published, because 1 "
            "check of the gate is not met. bank.predictions is as it was. Look at the checks that "
            "are not met. Nothing of a dry run is kept. To try again:",
            ["again"],
        ),
        (
            {"status": "failed", "dry_run": True, "step": "score", "reason": "it broke"},
            "Dry run: failed The run failed in its step score",
            ["again"],
        ),
        (
            {"rows_in": 100, "rows_out": 100, "rows_rejected": 2, "rows_pending": 40, "gate": []}
            | {"deadline": "2018-08-08T04:00:00+00:00"},
            "Done 60 rows were scored and written to bank.predictions; 2 of them (3.3%) got no "
            "prediction. 40 rows are pending, for which there was no time before 2018-08-08 "
            "04:00:00 UTC: the next run completes them. Rows to score 100 Rows written 100 Without "
            "prediction 2 Pending 40",
            [],
        ),
        (
            {"rows_in": 8, "rows_carried": 92, "rows_out": 100, "rows_rejected": 2, "gate": []},
            "8 rows were scored and written to bank.predictions; 2 of them (25.0%) got no "
            "prediction; 92 rows were carried over as they were there.",
            [],
        ),
        (
            {"rows_unchanged": 92, "rows_quarantined": 2},
            "Unchanged, not scored 92 Rows written 1,204,331 Without prediction 412 In quarantine "
            "2 Rows a second",
            [],
        ),
    ],
)
def test_an_outcome_says_what_to_do(
    changes: dict[str, Any], said: str, commands: list[str]
) -> None:
    report = full_report(**changes)
    made = page(report)
    assert said in Parsed(made).text
    assert re.findall("<pre>(.*?)</pre>", made) == [report.commands[name] for name in commands]


def test_a_command_that_is_not_known_leaves_no_gap() -> None:
    made = page(full_report(status="failed", step="write", commands={}))
    assert "<pre>" not in made


@pytest.mark.parametrize("status", ["done", "failed", "interrupted", "stopped", "published"])
def test_a_run_that_knows_next_to_nothing_has_a_page(status: Any) -> None:
    report = RunReport(
        job="nightly",
        run_id=RUN_ID,
        status=status,
        started_at="2018-08-08T04:00:00+00:00",
        finished_at="",
        parameters={},
        bundle={"path": "b"},
        target="t",
        spark_application_id="",
        versions={},
        seconds={},
    )
    text = Parsed(page(report)).text
    assert "Rows to score \N{EN DASH} Rows written \N{EN DASH}" in text
    assert "Took \N{EN DASH}" in text
    assert "No distribution was looked at" in text
    assert "has no gate, or the run did not come to it" in text


def test_columns_are_shown_beside_their_reference() -> None:
    text = text_of(
        drift=[
            column("score", [1.0, 1.0, 2.0, 2.0], [1.0, 2.0, 2.0, 2.0], kind="output"),
            column("kind", [0, 0, 1], [0, 1, 1], kind="output", labels=["card", "cash"]),
            column("new", [3.0], None, kind="output"),
            column("amount", [0.5] * 4, [0.5] * 4),
        ]
    )
    assert "up to 1 50.0% 25.0% up to 2 50.0% 75.0%" in text
    assert "card 66.7% 33.3% cash 33.3% 66.7%" in text
    assert "this run, 4 rows, mean 1.5 reference, 4 rows, mean 1.75: kept in the bundle" in text
    assert "There is no reference yet" in text
    assert "score output 0.275 0.250 1.5 1.75 0.0% 0.0%" in text
    assert "kind output 0.462 0.333 \N{EN DASH} \N{EN DASH} 0.0% 0.0%" in text
    assert "amount feature 0.000 0.000 0.5 0.5 0.0% 0.0%" in text


def test_challengers_are_told() -> None:
    dash = "\N{EN DASH}"
    text = text_of()
    assert (
        "Challengers next Bundle next a1b2c3d4a1b2, published in columns of its own. Of 1,204,331 "
        "rows 1,203,900 were predicted by both, 19 were rejected by the challenger alone, 12 by "
        "the champion alone. Its model ran for 6 min 38 s. column 'hour' is null Output Different "
        "Share Mean Largest fraud_score number, different above 0.01 25,643 2.1% 0.0031 0.4412 "
        f"kind label 204 <0.1% {dash} {dash} shadowed Bundle shadowed a1b2c3d4a1b2, compared only."
    ) in text
    assert "It has failed, and 204 rows have no prediction of it: PredictionError: <b>" in text
    assert "Challengers" not in text_of(challengers=[])
    unscored = challenger("next", None) | {"disagreement": None}
    assert "published in columns of its own. No row was scored." in text_of(challengers=[unscored])


def test_checks_are_told_as_the_gate_says_them() -> None:
    text = text_of(
        gate=[
            checked("nulls", value=0.25, column="score", limit="at most 10.0000%"),
            checked("disagreement", value=0.0213, column="next_score", limit="at most 5.0000%"),
            checked("range", "stopped", value="nan", note="2 rows are NaN or infinite"),
            checked("psi", "undefined", value=None),
            checked("sum", "warned", check="sql", value=False, limit="that 1 = 2 is true"),
        ]
    )
    assert "disagreement next_score 2.13% at most 5.0000% passed" in text
    assert "nulls score 25% at most 10.0000% passed" in text
    assert "range all rows nan 2 rows are NaN or infinite at most 0.2 stopped" in text
    assert "psi all rows \N{EN DASH} at most 0.2 undefined" in text
    assert "sum all rows not true that 1 = 2 is true warned" in text


def test_nothing_is_needed_from_outside_and_nothing_runs() -> None:
    parsed = Parsed(page(full_report()))
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "img", "form", "a", "base"}
    attributes = {name for _, found in parsed.elements for name, _ in found}
    assert not {name for name in attributes if name.startswith("on")}
    assert not attributes & {"href", "src", "action", "style", "xlink:href", "srcset"}
    policies = [dict(found) for tag, found in parsed.elements if tag == "meta"]
    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    } in policies
    style = re.search("<style>(.*?)</style>", page(full_report()), re.DOTALL)
    assert style
    assert not re.search(r"url\(|@import|expression\(", style[1])


HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "</title></head><body onload='alert(1)'>",
    "</pre></main>",
    '" onmouseover="alert(1)" x=\'',
    "<!-- ",
    "]]><svg/onload=alert(1)>",
    "<?php ?><![CDATA[",
    "&lt;b&gt;&#60;script&#62;",
    "{{ 7 * 7 }}{% raw %}",
    "a\0b\x07\x1b[31m\x7f\x85",
    "\N{RIGHT-TO-LEFT OVERRIDE}lmth.exe\N{RIGHT-TO-LEFT MARK}\N{LEFT-TO-RIGHT ISOLATE}",
    "\N{LINE SEPARATOR}\N{ZERO WIDTH SPACE}\N{BYTE ORDER MARK}\ud800",
]


def with_texts(word: str) -> RunReport:
    """Return a report that has a word wherever somebody chooses one."""
    columns = [
        {**found, "column": word, "origin": word, "labels": [word for _ in found["labels"]]}
        for found in full_report().drift
    ]
    gate = [
        checked(word, kind, column=word, limit=word, note=word, value=word)
        for kind in ("passed", "warned", "stopped", "undefined")
    ]
    return full_report(
        job=word,
        run_id=word,
        status="failed",
        step=word,
        reason=word,
        started_at=word,
        finished_at=word,
        parameters={word: word},
        bundle={"name": word, "digest": word, "path": word},
        source=word,
        snapshot=[
            {"kind": "iceberg", "place": word, "snapshot_id": word},
            {"kind": "files", "place": word, "num_files": 1, "num_bytes": 1, "digest": ""},
        ],
        rejects=[{"reason": word, "count": 1, "examples": [{word: word}, {word: word}]}],
        target=word,
        spark_application_id=word,
        versions={word: word},
        scan=word,
        writer=word,
        seconds={word: 1.0, "score": 2.0},
        batches={**full_report().batches, "batch_rows": {word: 1}, "row_lengths": {word: 1}},
        gate=gate,
        drift=columns,
        commands={"again": word, "publish": word, "drop": word, "recover": word},
    )


@pytest.mark.parametrize("word", HOSTILE)
def test_no_element_and_no_attribute_comes_of_a_value(word: str) -> None:
    made = page(with_texts(word))
    made.encode()
    assert all(c.isprintable() or c == "\n" for c in made)
    plain, found = Parsed(page(with_texts("plain"))), Parsed(made)
    assert found.elements == plain.elements
    assert (found.ends, found.others) == (plain.ends, plain.others) == (plain.ends, [])
    # It is there all the same, wherever the plain word is.
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in word)
    assert "".join(found.texts).count(shown) == "".join(plain.texts).count("plain") > 30
