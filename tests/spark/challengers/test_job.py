"""Jobs with challengers: one pass, columns of their own or none, and what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from spark_infer.cli import render
from spark_infer.cli.history import one_run
from spark_infer.errors import BundleError, ConfigError, GateError, SignatureError
from tests.schema import check_report

pytestmark = pytest.mark.one_spark
FIVE = tuple(f"{n} 2018-08-08" for n in range(1, 6))


def given(bundle: Any, **keys: Any) -> dict[str, Any]:
    return {"path": str(bundle.path), **keys}


def rows_of(job: Any) -> list[dict[str, Any]]:
    return [
        row.asDict() for row in job.spark.sql("SELECT * FROM store.scores ORDER BY id").collect()
    ]


def found(report: Any, name: str = "next") -> dict[str, Any]:
    return next(each["disagreement"] for each in report.challengers if each["name"] == name)


@pytest.fixture
def paired(job: Any, weighted: Any) -> Any:
    """A job whose challenger is one off."""
    job.transactions(*FIVE)
    job.config["bundle"] = given(weighted("champion"))
    job.config["challengers"] = {"next": given(weighted("next", bias=1.0))}
    return job


class Sign(torch.nn.Module):
    """The sign of a number, which a zero has too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.copysign(torch.ones_like(x), x).sum(1)


def test_a_zero_that_fills_nulls_has_each_models_own_sign(job: Any, tmp_path: Path) -> None:
    def saved(name: str, fill: float) -> dict[str, Any]:
        column = si.Column("n", nulls=fill)
        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=[column])], outputs=[si.Output("score")]
        )
        how: Any = {"signature": signature, "features": {"n": "nullif(a, a)"}}
        return given(si.save_bundle(tmp_path / name, Sign(), **how))

    job.config["bundle"] = saved("champion", 0.0)
    job.config["challengers"] = {"next": saved("next", -0.0)}
    job.run()
    assert [(row["score"], row["next_score"]) for row in rows_of(job)] == [(1.0, -1.0)] * 2


def test_predictions_stand_beside_each_other(paired: Any) -> None:
    report = paired.run()
    for row in rows_of(paired):
        number = float(row["id"])
        assert (row["score"], row["size"]) == (number, "high" if number > 2 else "low")
        assert (row["next_score"], row["next_size"]) == (
            number + 1,
            "high" if number > 1 else "low",
        )
    assert (report.rows_in, report.rows_out, report.rows_rejected) == (5, 5, 0)
    assert report.batches["num_rows"] == 5  # The champion's alone.
    (challenger,) = report.challengers
    told = found(report)
    assert told.pop("run_seconds") > 0
    assert told == {
        "rows": 5,
        "compared": 5,
        "rejected_by_challenger": 0,
        "rejected_by_champion": 0,
        "rejected_by_both": 0,
        "failed": 0,
        "problem": "",
        "outputs": [
            {
                "output": "score",
                "kind": "number",
                "different": 5,
                "share": 1.0,
                "mean_difference": 1.0,
                "max_difference": 1.0,
            },
            {
                "output": "size",
                "kind": "label",
                "different": 1,
                "share": 0.2,
                "mean_difference": None,
                "max_difference": None,
            },
        ],
    }
    assert set(challenger["bundle"]) == {"path", "name", "digest"}
    assert (challenger["shadow"], challenger["tolerance"]) == (False, 0.01)


def test_what_differs_is_told_everywhere(paired: Any, capsys: pytest.CaptureFixture[str]) -> None:
    report = paired.run()
    directory = paired.folder / "reports"
    check_report(json.loads(report.path(directory).read_text()))
    text = (
        "5 of 5 rows compared; score differs by 1 on average, 1 at most, in 100.0% by more than "
        "0.01; size is another in 20.0%"
    )
    digest = report.challengers[0]["bundle"]["digest"][:12]
    assert report.summary()["challenger next"] == f"next {digest}: {text}"
    for show in (
        lambda: render.run_report(report, str(directory), html=True, as_json=False),
        lambda: one_run(report, str(directory), as_json=False),
    ):
        show()
        printed = " ".join(capsys.readouterr().out.split())
        assert "challenger next" in printed
        assert "size is another in 20.0%" in printed
    page = report.page_path(directory).read_text()
    assert "<h2>Challengers</h2>" in page
    assert "Of 5 rows 5 were predicted by both" in page


def test_a_shadow_is_compared_and_not_published(paired: Any, weighted: Any) -> None:
    plain = [dict(row) for row in _of_champion(paired)]
    paired.spark.sql("DROP TABLE store.scores")
    shadow = given(weighted("other", bias=0.5), shadow=True, tolerance=0.5)
    report = paired.run(challengers={"next": shadow})
    assert [_plain(row) for row in rows_of(paired)] == plain
    assert [output["different"] for output in found(report)["outputs"]] == [0, 1]
    assert found(report)["outputs"][0]["max_difference"] == 0.5


def _of_champion(job: Any) -> list[dict[str, Any]]:
    job.run(challengers={})
    return [_plain(row) for row in rows_of(job)]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("run_id", "scored_at")}


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("target", [{}, {"writer": "jvm"}, {"mode": "append"}, {"format": "orc"}])
def test_every_way_of_writing_has_them(paired: Any, target: dict[str, Any]) -> None:
    report = paired.run(target=target)
    assert [row["next_score"] for row in rows_of(paired)] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert found(report)["compared"] == 5


def test_one_pass_reads_files_once(paired: Any, weighted: Any) -> None:
    plain = ("a", "b")
    job = paired
    challengers = {
        name: given(weighted(name, bias=bias, columns=columns), shadow=bias > 2)
        for name, bias, columns in (
            ("one", 1.0, plain),
            ("two", 2.0, ("b", "a")),
            ("three", 3.0, ("b", "a")),
        )
    }
    report = job.run(
        bundle=given(weighted("plain", columns=plain)),
        challengers=challengers,
        source={"table": "store.tx"},
    )
    assert report.scan.startswith("direct: 5 rows")
    assert report.batches["num_read"] == 5
    for row in rows_of(job):
        number = float(row["id"])
        assert (row["score"], row["one_score"], row["two_score"]) == (
            number,
            number + 1,
            10 * number + 2,
        )
        assert "three_score" not in row
    assert found(report, "three")["outputs"][0]["max_difference"] == 48.0


@pytest.mark.nightly
def test_features_of_one_name_are_each_bundles_own(paired: Any, weighted: Any) -> None:
    paired.spark.sql("INSERT OVERWRITE store.tx SELECT 1, 1.0D, 2, DATE'2018-08-08', 'EU'")
    other = weighted("triple", features={"double_b": "b * 3"})
    report = paired.run(challengers={"next": given(other)}, rows="a > 0")
    (row,) = rows_of(paired)
    assert (row["score"], row["next_score"]) == (41.0, 61.0)
    assert report.scan.startswith("jvm: ")
    plan = paired.load().plan(paired.spark)
    assert any("`next.double_b`" in text for text in plan.sql)
    assert "next_score FLOAT" in plan.columns


def test_rows_that_one_rejects_are_counted_and_the_champions_stay(
    paired: Any, weighted: Any
) -> None:
    paired.spark.sql(
        "INSERT INTO store.tx VALUES (6, NULL, 0, DATE'2018-08-08', 'EU'), "
        "(7, 7.0D, NULL, DATE'2018-08-08', 'EU'), (8, NULL, NULL, DATE'2018-08-08', 'EU')"
    )
    champion = weighted("a_only", columns=("a", si.Column("b", nulls=0)))
    challenger = weighted("b_only", columns=(si.Column("a", nulls=0), "b"), bias=1.0)
    report = paired.run(
        bundle=given(champion),
        challengers={"next": given(challenger)},
        batch={"max_rejected_share": 0.5, "on_error": "fail"},
    )
    told = found(report)
    assert (told["rows"], told["compared"]) == (8, 5)
    assert (told["rejected_by_challenger"], told["rejected_by_champion"]) == (1, 1)
    assert (told["rejected_by_both"], told["failed"]) == (1, 0)
    assert told["problem"] == "column 'b' is null"
    assert report.rows_rejected == 2
    rows = {row["id"]: row for row in rows_of(paired)}
    assert (rows[7]["score"], rows[7]["next_score"]) == (7.0, None)
    assert (rows[6]["score"], rows[6]["next_score"]) == (None, 1.0)
    assert (rows[7]["rejected_reason"], rows[6]["rejected_reason"]) == (None, "column 'a' is null")
    assert "it alone rejects 1; the champion alone 1" in report.summary()["challenger next"]


def check(**keys: Any) -> dict[str, Any]:
    return {"check": "disagreement", **keys}


def test_the_gate_measures_disagreement(paired: Any) -> None:
    report = paired.run(
        gate=[check(max=0.5, action="warn"), check(max=0.2, challenger="next", column="size")]
    )
    results = [(r["column"], r["value"], r["outcome"]) for r in report.gate]
    assert results == [
        ("next_score", 1.0, "warned"),
        ("next_size", 0.2, "passed"),
        ("next_size", 0.2, "passed"),
    ]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("shadow", [True, False])
def test_the_gate_stops_a_run_that_disagrees(paired: Any, shadow: bool) -> None:
    next_one = paired.config["challengers"]["next"] | {"shadow": shadow}
    changes = {"challengers": {"next": next_one}, "gate": [check(max=0.1, column="score")]}
    with pytest.raises(
        GateError, match=r"disagreement of next_score is 100\.0000%, allowed is at most 10\.0000%"
    ):
        paired.run(**changes)
    assert not paired.spark.catalog.tableExists("store.scores")
    (file,) = Path(paired.folder / "reports").glob("*Z-*.json")
    report = json.loads(file.read_text())
    assert report["challengers"][0]["disagreement"]["compared"] == 5
    published = paired.load(**changes).publish(report["run_id"], paired.spark)
    assert published.rows == 5
    assert ("next_score" in rows_of(paired)[0]) is not shadow


@pytest.mark.nightly
def test_nothing_that_can_be_compared_is_undefined(paired: Any) -> None:
    paired.run()
    paired.transactions()
    report = paired.run(gate=[check(max=0)])
    assert {r["outcome"] for r in report.gate} == {"undefined"}


def test_columns_of_one_name_are_refused(paired: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"key column 'NEXT_score' has the name of a challenger's"
    ):
        paired.run(features={"NEXT_score": "id"}, key=["NEXT_score"])
    with pytest.raises(ConfigError, match=r"target.keep column 'next_size' has the name of a"):
        paired.run(features={"next_size": "id"}, target={"keep": ["day", "next_size"]})


def test_a_challenger_that_is_not_right_stops_the_run_before_a_row_is_read(
    paired: Any, weighted: Any
) -> None:
    path = paired.config["challengers"]["next"]["path"]
    for challenger, kind, said in (
        ({"path": path, "digest": "0" * 64}, BundleError, "challenger 'next': .*digest"),
        ({"path": str(paired.folder / "none")}, BundleError, "challenger 'next': "),
        (
            given(weighted("missing", columns=("a", "nowhere"))),
            SignatureError,
            "challenger 'next': .*nowhere",
        ),
    ):
        with pytest.raises(kind, match=said):
            paired.run(challengers={"next": challenger})
    files = sorted(Path(paired.folder / "reports").glob("*Z-*.json"))
    report = json.loads(files[-1].read_text())
    assert report["status"] == "failed"
    assert report["challengers"][0]["disagreement"] is None
    check_report(report)


def test_a_check_of_what_cannot_be_compared_is_refused(paired: Any) -> None:
    with pytest.raises(ConfigError, match=r"gate\.0: 'scor' is no output .*did you mean 'score'"):
        paired.run(gate=[check(max=0.1, column="scor")])


@pytest.mark.nightly
def test_a_shadow_stands_beside_an_incremental_job(paired: Any) -> None:
    shadow = paired.config["challengers"]["next"] | {"shadow": True}
    changes = {"challengers": {"next": shadow}, "incremental": {"by": "content"}}
    assert found(paired.run(**changes))["rows"] == 5
    again = paired.run(**changes)
    assert (again.rows_unchanged, found(again)["rows"]) == (5, 0)
