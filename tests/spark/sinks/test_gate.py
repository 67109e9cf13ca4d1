"""The gate: what it measures, what it stops, and what becomes of a run that it has stopped."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from spark_infer.bundle.cache.locks import take
from spark_infer.errors import ConfigError, GateError, TooManyRejects, WarehouseError

pytestmark = pytest.mark.one_spark


def reports(job: Any) -> list[dict[str, Any]]:
    files = sorted((job.folder / "reports").glob("*Z-*.json"))
    return [json.loads(file.read_text()) for file in files]


def outcomes(report: Any) -> dict[tuple[str, str], Any]:
    return {(r["name"], r["column"]): (r["value"], r["outcome"]) for r in report.gate}


def check(kind: str, action: str = "stop", **keys: Any) -> dict[str, Any]:
    return {"check": kind, "action": action, **keys}


NEVER = check("range", column="score", max=0)
"""No score of the job's rows is so small."""


def stopped(job: Any, **changes: Any) -> tuple[str, str]:
    """Run a job that its gate stops; return the run and the message."""
    with pytest.raises(GateError) as caught:
        job.run(gate=changes.pop("gate", [NEVER]), **changes)
    report = reports(job)[-1]
    assert (report["status"], report["step"]) == ("stopped", "gate")
    assert report["reason"] == str(caught.value)
    made = (job.folder / "reports" / f"target-{report['run_id']}.html").read_text()
    for verb in ("publish", "drop"):
        command = report["commands"][verb]
        assert f"{command} {verb}" in report["reason"]
        assert f"<pre>{command}</pre>" in made
    return report["run_id"], str(caught.value)


def test_each_check_says_what_it_has_found(job: Any) -> None:
    job.transactions("1 2018-08-08", "2 2018-08-08", "3 2018-08-08", "4 2018-08-08")
    gate = [
        check("nulls", max=0),
        check("rejects", max=0),
        check("range", column="score", min=1, max=4),
        check("share_above", column="score", threshold=2, max=0.5),
        check("rows", min=4, max=4),
        check("row_ratio", min=0.5),
        check("psi", max=0.2),
        check("ks", max=0.2, against="previous"),
        check("sql", name="sum", expression="sum(score) = 10"),
        check("sql", name="key", expression="count(DISTINCT id) = count(*) AND min(day) = :date"),
    ]
    report = job.run(gate=gate)
    assert report.status == "done"
    undefined = (None, "undefined")
    assert outcomes(report) == {
        ("nulls", "score"): (0.0, "passed"),
        ("rejects", ""): (0.0, "passed"),
        ("range", "score"): (4.0, "passed"),
        ("share_above", "score"): (0.5, "passed"),
        ("rows", ""): (4.0, "passed"),
        ("row_ratio", ""): undefined,
        **{("psi", name): undefined for name in ("score", "a", "double_b")},
        **{("ks", name): undefined for name in ("score", "a", "double_b")},
        ("sum", ""): (True, "passed"),
        ("key", ""): (True, "passed"),
    }
    assert [(c["column"], c["kind"], c["reference"]) for c in report.drift] == [
        ("score", "output", None),
        ("a", "feature", None),
        ("double_b", "feature", None),
    ]
    assert report.drift[0]["now"]["rows"] == sum(report.drift[0]["now"]["counts"]) == 4
    second = job.run(gate=gate)
    again = outcomes(second)
    for column, before in zip(second.drift, report.drift, strict=True):
        assert column["reference"] == column["now"] == before["now"]
        assert (column["psi"], column["ks"]) == (0, 0)
        first = f"run {report.run_id}, the first of this bundle that was published"
        assert (column["origin"], before["origin"]) == (first, "")
    made = second.page_path(job.folder / "reports").read_text()
    assert "4 rows were scored and written to store.scores." in made
    assert "store.tx where day = :date" in made
    assert again["row_ratio", ""] == (1.0, "passed")
    for kind in ("psi", "ks"):
        for name in ("score", "a", "double_b"):
            assert again[kind, name] == (0.0, "passed")


def test_a_warning_is_published_and_said(job: Any, caplog: pytest.LogCaptureFixture) -> None:
    report = job.run(gate=[check("range", action="warn", column="score", max=0)])
    assert report.status == "done"
    assert outcomes(report) == {("range", "score"): (2.0, "warned")}
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    said = "gate: range of score is 2 (from 1 to 2), allowed is at most 0"
    assert said in [record.getMessage() for record in caplog.records]


def test_rejects_have_their_exit_code_all_the_same(job: Any) -> None:
    with pytest.raises(TooManyRejects):
        job.run(features={"a": "CAST(NULL AS DOUBLE)"}, gate=[check("rejects", max=0)])


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_stopped_run_is_published_by_hand(job: Any, mode: str) -> None:
    target = {"mode": mode}
    job.run({"date": "2018-08-09"}, target=target)
    before = job.scores()
    run, message = stopped(job, target=target, gate=[NEVER, check("rows", min=10)])
    assert job.scores() == before
    assert "range of score is 2 (from 1 to 2), allowed is at most 0; rows is 2, allowed" in message
    command = f"spark-infer publish {job.folder / 'job.yaml'} {run} publishes them all the same"
    assert command in message
    assert f"spark-infer drop {job.folder / 'job.yaml'} {run} drops them" in message
    kept = si.ScoringJob.of_kept(job.folder / "job.yaml")
    published = kept.publish(run, job.spark)
    assert (published.rows, published.rejected) == (2, 0)
    assert job.scores() == [(1, 1.0), (2, 2.0), *before]
    report = reports(job)[-1]
    assert (report["run_id"], report["status"], report["rows_out"]) == (run, "published", 2)
    made = (job.folder / "reports" / f"target-{run}.html").read_text()
    assert "published it all the same: 2 rows were written to store.scores." in made
    assert job.spark.sql(f"SELECT * FROM store.scores WHERE run_id = '{run}'").count() == 2
    for decide in (kept.publish, kept.drop):
        with pytest.raises(WarehouseError, match=f"kept of run {run} .*it is published already"):
            decide(run, job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0), *before]
    # The next run is compared with it.
    again = job.run(target={"mode": "overwrite"}, gate=[check("row_ratio", min=0.5)])
    assert outcomes(again) == {("row_ratio", ""): (1.0, "passed")}


def test_a_first_run_is_published_by_hand(job: Any) -> None:
    run, _ = stopped(job)
    assert not job.spark.catalog.tableExists("store.scores")
    job.load().publish(run, job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    assert job.run().rows_out == 2  # as any run after the first


def test_a_first_run_is_published_into_a_table_that_is_there_by_now(job: Any) -> None:
    run, _ = stopped(job)
    job.run({"date": "2018-08-09"})
    job.load().publish(run, job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_dropped_run_is_gone(job: Any) -> None:
    run, _ = stopped(job)
    job.load().drop(run, job.spark)
    assert reports(job)[-1]["status"] == "dropped"
    assert [place.name for place in job.location().parent.iterdir() if place.is_dir()] == ["tx"]
    with pytest.raises(WarehouseError, match=f"run {run} was dropped"):
        job.load().publish(run, job.spark)
    with pytest.raises(WarehouseError, match=f"nothing is kept of run {run}"):
        job.load().drop(run, job.spark)
    assert not job.spark.catalog.tableExists("store.scores")


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("run", ["20180808T040000.000000Z-0a1b2c3d", "../tx", "", "20180808"])
def test_a_run_that_was_none(job: Any, run: str) -> None:
    job.run()
    kind, said = (ConfigError, "is no run")
    if run.endswith("3d"):
        kind, said = WarehouseError, f"nothing is kept of run {run} .*a gate has not stopped it"
    for decide in (job.load().publish, job.load().drop):
        with pytest.raises(kind, match=said):
            decide(run, job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly
def test_kept_runs_stay_beside_each_other_for_seven_days(job: Any) -> None:
    job.run()
    first, _ = stopped(job, settings={"date": "2018-08-09"})
    second, _ = stopped(job, settings={"date": "2018-08-09"})
    runs = job.location() / "_spark_infer"
    job.run()
    assert job.load().recover(job.spark) == ()
    assert {first, second} <= {place.name for place in runs.iterdir()}
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    age(runs / first, days=6.9)
    job.load().recover(job.spark)
    assert (runs / first).exists()
    age(runs / first, days=7.1)
    job.load().recover(job.spark)
    assert not (runs / first).exists()
    with pytest.raises(WarehouseError, match="its seven days are over"):
        job.load().publish(first, job.spark)
    job.load().publish(second, job.spark)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


def age(folder: Path, days: float) -> None:
    long_ago = time.time() - days * 24 * 60 * 60
    for path in (folder / "kept.json", folder / "alive"):
        os.utime(path, (long_ago, long_ago))


def test_later_predictions_are_not_replaced_by_older_ones(job: Any) -> None:
    run, _ = stopped(job)
    later = job.run()
    with pytest.raises(WarehouseError, match=rf"run {later.run_id} has since written partitions"):
        job.load().publish(run, job.spark)
    assert {row["run_id"] for row in job.spark.table("store.scores").collect()} == {later.run_id}
    job.load().drop(run, job.spark)  # It was there yet.


@pytest.mark.nightly
def test_rows_that_were_added_since_are_not_added_again(job: Any) -> None:
    run, _ = stopped(job, target={"mode": "append"})
    job.transactions("2 2018-08-08")
    job.run(target={"mode": "append"})
    published = job.load(target={"mode": "append"}).publish(run, job.spark)
    assert published.rows == 1
    assert job.scores() == [(1, 1.0), (2, 2.0)]


def test_a_table_that_has_changed_is_looked_at_again(job: Any) -> None:
    job.run({"date": "2018-08-09"})
    run, _ = stopped(job)
    job.spark.sql("ALTER TABLE store.scores ADD COLUMNS (other INT)")
    with pytest.raises(WarehouseError, match="other columns than this job writes"):
        job.load().publish(run, job.spark)
    assert job.scores() == [(3, 3.0)]
    assert reports(job)[-1]["status"] == "stopped"
    job.load().drop(run, job.spark)


def test_a_damaged_kept_result_is_not_published(job: Any) -> None:
    job.run({"date": "2018-08-09"})
    run, _ = stopped(job)
    (file,) = (job.location() / "_spark_infer" / run / "rows").rglob("*.parquet")
    file.unlink()
    with pytest.raises(WarehouseError, match="2 rows were scored, and 0 of them are staged"):
        job.load().publish(run, job.spark)
    assert job.scores() == [(3, 3.0)]


def test_another_job_file_publishes_nothing(job: Any) -> None:
    run, _ = stopped(job)
    for change, said in (
        ({"key": ["id", "region"]}, "says another key than when"),
        ({"target": {"keep": ["day", "region"]}}, "says another target than when"),
        ({"name": "other"}, "says another job than when"),
    ):
        with pytest.raises(ConfigError, match=said):
            job.load(**change).publish(run, job.spark)


def test_a_run_that_another_process_publishes_is_left_to_it(job: Any) -> None:
    job.run({"date": "2018-08-09"})
    run, _ = stopped(job)
    descriptor = take(job.location() / "_spark_infer" / run / "alive")
    try:
        for decide in (job.load().publish, job.load().drop):
            with pytest.raises(WarehouseError, match="another process works with") as caught:
                decide(run, job.spark)
            assert caught.value.transient
    finally:
        os.close(descriptor)
    job.load().publish(run, job.spark)


def test_sinks_that_keep_nothing_say_so_before_they_read(job: Any, by_sql: None) -> None:
    with pytest.raises(WarehouseError, match=r"cannot be kept .*action: warn"):
        job.run(gate=[NEVER])
    assert reports(job)[-1]["step"] == "check"
    report = job.run(gate=[NEVER | {"action": "warn"}])
    assert outcomes(report) == {("range", "score"): (2.0, "warned")}
    with pytest.raises(WarehouseError, match="written by INSERT, which keeps nothing"):
        job.load().publish("20180808T040000.000000Z-0a1b2c3d", job.spark)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("score >= 0", r"gate\.0\.expression \(score >= 0\).*over all rows"),
        ("min(score)", "must be true or not, and is float"),
        ("min(scor) >= 0", r"scor.*columns: id, day, score"),
        ("count(*) > 0) FROM store.tx; SELECT (true", "gate.0.expression"),
        ("min(score) >=", "gate.0.expression"),
        ("min(score) >= :least", "gate.0.expression"),
        ("explode(array(count(*) > 0))", "gate.0.expression"),
    ],
)
def test_expressions_that_are_none_stop_before_a_row_is_read(
    job: Any, expression: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        job.run(gate=[check("sql", name="mine", expression=expression)])
    assert reports(job)[-1]["step"] == "check"
    assert reports(job)[-1]["rows_in"] is None


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("count(*) = (SELECT count(*) FROM store.tx WHERE day = :date)", "passed"),
        ("(SELECT count(*) FROM store.tx) = 3", "passed"),
        ("count(*) < (SELECT count(*) FROM store.tx WHERE day = :date)", "stopped"),
        ("max(nullif(score, score)) > 0", "stopped"),  # null is not true
        ("bool_and(score > 0) -- all of them", "passed"),
    ],
)
def test_expressions_of_the_operator(job: Any, expression: str, outcome: str) -> None:
    gate = [check("sql", name="mine", expression=expression)]
    if outcome == "passed":
        assert outcomes(job.run(gate=gate)) == {("mine", ""): (True, "passed")}
    else:
        _, message = stopped(job, gate=gate)
        assert f"sql 'mine' is not true, allowed is that {expression} is true" in message


@pytest.mark.nightly
def test_no_rows_are_undefined_and_stop_nothing(job: Any) -> None:
    gate = [
        check("nulls", max=0),
        check("rejects", max=0),
        check("range", column="score", min=5),
        check("share_above", column="score", threshold=2, min=0.5),
        check("psi", max=0),
        check("ks", max=0, against="previous"),
        check("sql", name="least", expression="min(score) >= 0"),
    ]
    job.run(gate=[check("psi", max=1), check("ks", max=1)])
    job.transactions("3 2018-08-09")
    report = job.run(gate=gate)
    assert (report.rows_in, report.rows_out) == (0, 0)
    assert {(value, outcome) for value, outcome in outcomes(report).values()} == {
        (None, "undefined")
    }
    job.transactions("1 2018-08-08")
    job.run()
    job.transactions("3 2018-08-09")
    _, message = stopped(job, gate=[check("rows", min=1)])
    assert "rows is 0, allowed is at least 1" in message
    assert job.scores() == [(1, 1.0)]


@pytest.mark.nightly
def test_nan_and_null_outputs(job: Any) -> None:
    odd = "CASE id WHEN 1 THEN NULL WHEN 2 THEN double('NaN') WHEN 3 THEN double('infinity') "
    job.transactions(*(f"{number} 2018-08-08" for number in range(1, 6)))
    gate = [
        check("nulls", action="warn", max=0.39),
        check("range", action="warn", column="score", min=0),
        check("share_above", action="warn", column="score", threshold=4.5, max=0.39),
        check("psi", max=1),
    ]
    options: dict[str, Any] = {
        "features": {"a": f"{odd} ELSE a END"},
        "batch": {"max_rejected_share": 0.5},
        "gate": gate,
    }
    found = outcomes(job.run(**options))
    assert found["nulls", "score"] == (0.4, "warned")  # the null and NaN
    assert found["range", "score"] == ("nan", "warned")
    assert found["share_above", "score"] == (0.4, "warned")  # 5 and infinity
    again = outcomes(job.run(**options))
    assert again["psi", "score"] == again["psi", "a"] == (0.0, "passed")


@pytest.mark.nightly
def test_a_constant_column_that_moves_has_drifted(job: Any) -> None:
    gate = [check("psi", action="warn", max=0.2), check("ks", action="warn", max=0.2)]
    for value, outcome in (("5.0D", "undefined"), ("5.0D", "passed"), ("4.0D", "warned")):
        found = outcomes(job.run(features={"a": value}, gate=gate))
        for kind in ("psi", "ks"):
            assert found[kind, "a"][1] == outcome
            assert found[kind, "score"][1] == outcome
            assert found[kind, "double_b"][1] in ("undefined", "passed")
    # The run before has moved too.
    previous = [check("psi", max=0, against="previous")]
    assert outcomes(job.run(features={"a": "4.0D"}, gate=previous))["psi", "a"] == (0.0, "passed")


def test_runs_of_other_parameters_are_no_yesterday(job: Any) -> None:
    options: dict[str, Any] = {
        "parameters": job.config["parameters"] | {"shop": {"default": "a"}},
        "gate": [check("row_ratio", min=0.9)],
    }
    job.run(**options)
    found = job.run({"shop": "b"}, **options)
    assert outcomes(found) == {("row_ratio", ""): (None, "undefined")}
    with pytest.raises(GateError, match=r"row_ratio is 0\.5 \(1 rows, before 2\)"):
        job.run({"date": "2018-08-09"}, **options)


def test_damaged_memory_is_named(job: Any) -> None:
    gate = [check("psi", max=1)]
    job.run(gate=gate)
    (file,) = (job.folder / "reports").glob("*.profiles.json")
    data = json.loads(file.read_text())
    data["previous"]["profile"]["outputs"]["score"]["counts"][0] = -1
    for text in ("", "{}", "[]", json.dumps(data), json.dumps({**data, "version": 2})):
        file.write_text(text)
        with pytest.raises(ConfigError, match=rf"{file.name}.* is damaged .*remove it"):
            job.run(gate=gate)
    file.unlink()
    assert outcomes(job.run(gate=gate))["psi", "score"] == (None, "undefined")


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("scan", ["direct", "jvm"])
def test_features_are_compared_with_the_bundles_profile(
    job: Any, tmp_path: Path, scan: str
) -> None:
    # Tenths are no floats: a table of doubles counts as the model reads it.
    tenths = [number / 10 for number in range(1, 101)]
    bundle = plain_bundle(tmp_path, profile={"a": tenths, "b": [1] * 100})
    spark = job.spark
    spark.sql("DROP TABLE store.tx")
    rows = spark.range(1, 101).selectExpr(
        "id", "id / 10D AS a", "1 AS b", "DATE'2018-08-08' AS day"
    )
    rows.repartition(3).write.saveAsTable("store.tx")
    options: dict[str, Any] = {
        "bundle": {"path": str(bundle.path)},
        "source": {"table": "store.tx", "filter": "day = :date", "scan": scan},
    }
    gate = [check("psi", max=0), check("ks", max=0)]
    report = job.run(gate=gate, **options)
    assert report.scan.startswith(scan)
    assert set(outcomes(report)) == {(k, n) for k in ("psi", "ks") for n in ("score", "a", "b")}
    assert set(outcomes(report).values()) == {(0.0, "passed")}
    spark.sql("DROP TABLE store.tx")
    moved = spark.range(1, 101).selectExpr(
        "id", "id / 10D + 5D AS a", "1 AS b", "DATE'2018-08-08' day"
    )
    moved.write.saveAsTable("store.tx")
    with pytest.raises(GateError) as caught:
        job.run(gate=gate, **options)
    for word in ("psi of score is", "psi of a is", "ks of score is 0.5", "ks of a is 0.5"):
        assert word in str(caught.value)
    assert "of b is" not in str(caught.value)


def plain_bundle(folder: Path, **options: Any) -> si.Bundle:
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.0]]))
        model.bias.zero_()
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("score")]
    )
    return si.save_bundle(folder / "plain", model, signature=signature, **options)


def test_labels_drift_too(job: Any, tmp_path: Path) -> None:
    class Kind(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[:, 0], 2.0 - x[:, 0]], 1)

    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])],
        outputs=[si.Output("kind", labels=["it's large", "small"])],
    )
    sample = {"a": [0.0, 0.0, 0.0, 5.0]}
    path = tmp_path / "kinds"
    si.save_bundle(path, Kind(), signature=signature, profile=sample)
    options: dict[str, Any] = {"bundle": {"path": str(path)}}
    job.transactions(*(f"{number} 2018-08-08" for number in range(1, 5)))
    report = job.run(
        features={"a": "IF(id < 4, 0.0D, 5.0D)"}, gate=[check("psi", max=0)], **options
    )
    assert outcomes(report)["psi", "kind"] == (0.0, "passed")
    gate = [check("psi", action="warn", max=0)]
    report = job.run(features={"a": "IF(id < 4, 5.0D, 0.0D)"}, gate=gate, **options)
    value, outcome = outcomes(report)["psi", "kind"]
    assert value == pytest.approx(2 * 0.5 * math.log(3))
    assert outcome == "warned"
    with pytest.raises(ConfigError, match="cannot measure output 'kind'"):
        job.run(gate=[check("ks", column="kind", max=0)], **options)


def test_columns_that_are_none_stop_before_spark(job: Any) -> None:
    for keys, said in (
        (check("psi", column="scor", max=1), r"gate\.0: .*'scor' is no output or feature.*'score'"),
        (check("range", column="a", max=1), "'a' is read by the model, and is none of the outputs"),
        (check("ks", column="region", max=1), "'region' is no output or feature"),
    ):
        with pytest.raises(ConfigError, match=said):
            job.load(gate=[keys]).check()
    twice = [check("sql", name="n", expression="true"), check("sql", name="n", expression="true")]
    with pytest.raises(ConfigError, match="2 checks have the name 'n'"):
        job.load(gate=twice).check()
