"""The README's examples, executed in the order in which they stand, each as a script of its own."""

from __future__ import annotations

import logging
import re
import sys
import types
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pyspark.sql import SparkSession
from typer.testing import CliRunner

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.cli.commands import app
from spark_infer.cli.main import exit_code
from spark_infer.errors import BundleError, GateError
from spark_infer.report.page.numbers import UNKNOWN
from tests.s3 import Bucket
from tests.unit.backends.transformers.test_format import directory
from tests.unit.support.graphs import linear

pytestmark = pytest.mark.one_spark

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^##+ (?P<title>.+?)$(?P<text>.*?)(?=^##+ |\Z)", re.M | re.S)
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)


def section(title: str) -> str:
    (text,) = (m["text"] for m in SECTION.finditer(README) if m["title"] == title)
    return text


def blocks(title: str) -> list[tuple[str, str]]:
    """Return the language and text of each fenced block below a heading."""
    return [(m["language"], m["code"]) for m in BLOCK.finditer(section(title))]


def run(
    title: str, number: int = 0, *, given: dict[str, Any] | None = None, **replaced: str
) -> dict[str, Any]:
    """Run one of a section's Python examples; it sees nothing of the others but their files.

    Args:
        title: Of the section.
        number: Of the example.
        given: What a reader has before it.
        replaced: Other values of variables that it sets to text.
    """
    language, code = blocks(title)[number]
    assert language == "python"
    for variable, value in replaced.items():
        code, count = re.subn(rf'^{variable} = ".*"$', f"{variable} = {value!r}", code, flags=re.M)
        assert count == 1
    names: dict[str, Any] = {"__name__": "__main__", **(given or {})}
    exec(compile(code, f"README.md, {title}", "exec"), names)
    return names


@pytest.fixture
def folder(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, and a catalog without the examples' tables."""
    for table in ("transactions", "predictions", "rejected", "visits"):
        spark.sql(f"DROP TABLE IF EXISTS {table}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bundle(folder: Path) -> si.Bundle:
    # The example's weights are random; how near half precision comes depends on them.
    torch.manual_seed(0)
    return run("Pack a model")["bundle"]


@pytest.fixture
def table(bundle: si.Bundle) -> dict[str, Any]:
    """What the example defines that makes the table of transactions."""
    return run("DataFrame")


def test_every_example_is_run() -> None:
    found = {m["title"]: len(blocks(m["title"])) for m in SECTION.finditer(README)}
    del found["Tables of PostgreSQL"]  # tests/jdbc runs it.
    assert {title: count for title, count in found.items() if count} == {
        "Two commands": 1,
        "Pack a model": 3,
        "Models that cannot be exported": 2,
        "Models of other libraries": 3,
        "Boosted trees": 2,
        "DataFrame": 1,
        "Straight from Parquet": 1,
        "SQL": 1,
        "Job file": 3,
        "Tables of Iceberg, and merging by key": 1,  # tests/iceberg runs it
        "Columns of the source": 1,
        "Incremental runs and quarantine": 1,
        "Gate": 3,
        "Challengers": 1,  # tests/unit/warehouse reads it
        "Deadline": 1,  # and this one
        "Earlier runs": 2,
        "Bundles and reports behind a URI": 1,
        "Batches and bad rows": 1,
        "Airflow": 3,
        "What it runs on": 1,
    }


def test_the_two_commands_are_there() -> None:
    ((_, commands),) = blocks("Two commands")
    for command in commands.splitlines():
        assert (REPOSITORY / command.split()[0]).is_file()


def test_pack_a_model(bundle: si.Bundle) -> None:
    assert si.Bundle.load("bundles/fraud").digest == bundle.digest


def test_arrays_vocabulary_and_labels(folder: Path, spark: SparkSession) -> None:
    bundle = run("Pack a model", 1)["message_bundle"]
    words = ["free", "money", "and"]  # the last is not in the vocabulary
    rows = spark.createDataFrame([(1, words), (2, words * 200)], "id int, words array<string>")
    kinds = rows.transform(si.predict, bundle, keep=["id"]).collect()
    assert {row["id"] for row in kinds} == {1, 2}
    assert {row["kind"] for row in kinds} <= {"ham", "spam"}


@pytest.mark.fresh_process
def test_models_that_cannot_be_exported(
    folder: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, code) = blocks("Models that cannot be exported")[0]
    (folder / "sequences.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    run("Models that cannot be exported", 1)
    bundle = si.Bundle.load("bundles/sequences")
    assert bundle.manifest.base.format == "module"
    with pytest.raises(BundleError, match="not in allow_modules"):
        load_backend(bundle)
    predictor = si.Predictor(si.load_model(bundle, allow_modules=["sequences"]), bundle)
    rows = predictor.predict({"amounts": [[1.0, 2.0], [1.0], []]}).to_pylist()
    assert [row["rejected_reason"] is None for row in rows] == [True, True, False]
    sys.modules.pop("sequences")


def test_models_of_other_libraries(
    bundle: si.Bundle, folder: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fraud.onnx").write_bytes(linear("features").SerializeToString())
    fraud = run("Models of other libraries")["bundle"]
    rows = spark.createDataFrame([(2.0, 4.0)], "amount double, is_night double")
    assert [row["y"] for row in rows.transform(si.predict, fraud).collect()] == [2.5]
    (folder / "training.py").write_text(
        "import pandas as pd\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "table = pd.DataFrame({'visits': [1.0, 2.0, 8.0, 9.0]})\n"
        "pipeline = LogisticRegression().fit(table, ['gone', 'gone', 'stays', 'stays'])\n"
    )
    monkeypatch.syspath_prepend(folder)
    churn = run("Models of other libraries", 1)["bundle"]
    sys.modules.pop("training")
    rows = spark.createDataFrame([(0.0,), (10.0,)], "visits double")
    kept = rows.transform(si.predict, churn, keep=["visits"]).collect()
    assert {row["visits"]: row["label"] for row in kept} == {0.0: "gone", 10.0: "stays"}
    directory(folder / "mood", "BertForSequenceClassification")
    mood = run("Models of other libraries", 2)["bundle"]
    rows = spark.createDataFrame([("the cat sat",)], "message string")
    (row,) = rows.transform(si.predict, mood).collect()
    assert row["label"] in {"ham", "spam", "eggs"}


def test_boosted_trees(folder: Path, spark: SparkSession) -> None:
    random = np.random.default_rng(0)
    visits = pd.DataFrame(random.normal(size=(200, 2)), columns=["amount", "hour"])
    fraud = (visits["amount"] > visits["hour"]).astype(int)
    given = {"visits": visits, "fraud": fraud, "kinds": np.array(["no", "yes"])[fraud]}
    trees = run("Boosted trees", given=given)
    named = run("Boosted trees", 1, given=given)
    rows = spark.createDataFrame(visits)
    scores = rows.transform(si.predict, trees["trees"]).toPandas()
    expected = trees["booster"].inplace_predict(scores[["amount", "hour"]])
    np.testing.assert_array_equal(scores["probability"], expected)
    kinds = rows.transform(si.predict, named["named"]).toPandas()
    assert kinds["label"].tolist() == named["model"].predict(kinds[["amount", "hour"]]).tolist()


def test_dataframe(table: dict[str, Any]) -> None:
    scored = {row["tx_id"]: row for row in table["scored"].collect()}
    assert sorted(scored) == [1, 2, 3, 4]
    assert scored[3]["rejected_reason"] == "column 'amount' is null"
    for row in table["wide"].collect():
        assert row["fraud_score"] == scored[row["tx_id"]]["fraud_score"]


def test_straight_from_parquet(table: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run("Pack a model", 2)
    ways = run("Straight from Parquet")
    told = capsys.readouterr().out.splitlines()
    assert re.fullmatch("direct: 1 row, [0-9]+ bytes, 1 Parquet file, 1 task", told[0])
    assert re.fullmatch("jvm: Spark computes .*hour.*", told[1])
    assert [row["shop"] for row in ways["by_workers"].collect()] == ["baker"]
    assert sorted(ways["by_spark"].collect()) == sorted(table["scored"].collect())


def test_sql(table: dict[str, Any]) -> None:
    wide = {row["tx_id"]: row["fraud_score"] for row in table["wide"].collect()}
    best = run("SQL")["best"].collect()
    assert {row["tx_id"]: row["score"] for row in best} == wide
    assert best[-1]["score"] is None
    named = "SELECT fraud_score(amount => 12.5, is_night => 0.0) AS score"
    assert named.removeprefix("SELECT ").removesuffix(" AS score") in section("SQL")
    if table["spark"].version >= "4":
        assert table["spark"].sql(named).collect()[0]["score"] is not None


def test_job_file_and_command(
    table: dict[str, Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="spark_infer")
    (_, job), (_, command), (_, told) = blocks("Job file")
    (folder / "conf").mkdir()
    (folder / "conf" / "nightly.yaml").write_text(job)
    program, *arguments = command.split()
    assert program == "spark-infer"
    planned = CliRunner().invoke(app, ["plan", *arguments[1:]], catch_exceptions=False)
    assert planned.exit_code == 0
    assert "jvm: Spark computes" in planned.output
    assert "predictions: it is created" in planned.output
    assert not table["spark"].catalog.tableExists("predictions")
    for _ in range(2):  # the same date again gives the same table
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        assert "3 in, 3 out, 1 rejected" in done.output
        assert table["spark"].table("predictions").count() == 3
    steps = [record.getMessage().split()[0] for record in caplog.records]
    for line in told.splitlines():
        assert re.fullmatch(r"[0-9:]{8} INFO \w+: [0-9.]+ s", line)
        assert line.split()[2] in steps


def test_columns_of_the_source(table: dict[str, Any], folder: Path) -> None:
    ((_, target),) = blocks("Columns of the source")
    spark = table["spark"]
    spark.table("transactions").write.saveAsTable("tx")
    job = yaml.safe_load(blocks("Job file")[0][1]) | yaml.safe_load(target)
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    arguments = ["score", "job.yaml", "--set", "date=2018-08-08", "--set", "source.table=tx"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    scored = spark.table("tx_scored")
    assert scored.columns[: len(spark.table("tx").columns)] == spark.table("tx").columns
    assert (scored.count(), scored.where("fraud_score IS NOT NULL").count()) == (4, 2)
    spark.sql("DROP VIEW tx_scored")
    for name in ("tx", "tx_predictions"):
        spark.sql(f"DROP TABLE {name}")


def test_earlier_runs(table: dict[str, Any], folder: Path) -> None:
    (_, job), (_, score), *_ = blocks("Job file")
    (folder / "conf").mkdir()
    (folder / "conf" / "nightly.yaml").write_text(job)
    (_, commands), (language, view) = blocks("Earlier runs")
    for more in (["--dry-run"], []):
        arguments = [*score.split()[1:], *more]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    outputs = []
    for line in commands.splitlines():
        done = CliRunner().invoke(app, line.split()[1:], catch_exceptions=False)
        assert done.exit_code == 0
        outputs.append(" ".join(done.output.split()))
    assert "of 2 runs" not in outputs[0]
    assert "3 in, 3 out, 1 rejected" in outputs[1]
    assert "equal: the prediction is the one that was published" in outputs[2]
    assert language == "sql"
    spark = table["spark"]
    spark.sql(view.replace("'reports/", f"'{folder}/reports/"))  # Spark's own folder is another.
    query = "SELECT status, parameters['date'], rows_in FROM runs ORDER BY run_id"
    assert [tuple(row) for row in spark.sql(query).collect()] == [
        ("dry-run", "2018-08-08", 3),
        ("done", "2018-08-08", 3),
    ]
    spark.catalog.dropTempView("runs")


def test_gate(table: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, gate), _, (_, commands) = blocks("Gate")
    (folder / "conf").mkdir()
    (folder / "conf" / "nightly.yaml").write_text(blocks("Job file")[0][1] + gate)
    arguments = ["conf/nightly.yaml", "--set", "date=2018-08-08"]
    done = CliRunner().invoke(app, ["score", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert ["gate"] in lines
    assert ["rows", "3", "at", "least", "1", "passed"] in lines
    assert ["psi", "fraud_score", UNKNOWN, "at", "most", "0.25", "undefined"] in lines
    strict = gate.replace("check: rows, min: 1}", "check: rows, min: 10}")
    (folder / "conf" / "nightly.yaml").write_text(blocks("Job file")[0][1] + strict)
    stopped = CliRunner().invoke(app, ["score", *arguments])
    assert isinstance(stopped.exception, GateError)
    assert exit_code(stopped.exception) == 3
    (kept,) = re.findall("run ([^,]*),", str(stopped.exception))
    publish, drop = (line.split() for line in commands.splitlines())
    for command, outcome in ((publish, "published, 3 rows"), (drop, "WarehouseError")):
        assert " ".join(command[:3]) in str(stopped.exception)
        decided = CliRunner().invoke(app, [*command[1:3], kept])
        assert outcome in decided.output + type(decided.exception).__name__
    monkeypatch.syspath_prepend(folder)
    (folder / "training.py").write_text(
        "import torch, spark_infer as si\n"
        "model = torch.nn.Linear(1, 1)\n"
        "inputs = [si.ScalarInput('x', columns=['amount'])]\n"
        "signature = si.Signature(inputs=inputs, outputs=[si.Output('y')])\n"
        "table = {'amount': [1.0, 2.0]}\n"
    )
    profile = run("Gate", 1)["bundle"].profile
    sys.modules.pop("training")
    assert profile.inputs["amount"].rows == profile.outputs["y"].rows == 2


def test_incremental_runs_and_quarantine(table: dict[str, Any], folder: Path) -> None:
    ((_, sections),) = blocks("Incremental runs and quarantine")
    (folder / "conf").mkdir()
    (folder / "conf" / "nightly.yaml").write_text(blocks("Job file")[0][1] + sections)
    arguments = ["score", "conf/nightly.yaml", "--set", "date=2018-08-08"]
    for told in ("3 in, 3 out, 1 rejected, 0 unchanged", "1 in, 3 out, 1 rejected, 2 unchanged"):
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        assert told in done.output
    (row,) = table["spark"].table("rejected").collect()
    assert (row["tx_id"], row["reason_stage"], row["reason_kind"]) == (3, "input", "null")


def test_bundles_and_reports_behind_a_uri(table: dict[str, Any], bucket: Bucket) -> None:
    fraud = si.Bundle.load("bundles/fraud")
    for name in (*fraud.files, "SHA256SUMS"):
        bucket.put(f"fraud/{name}", (fraud.path / name).read_bytes())
    scored = run("Bundles and reports behind a URI", uri=bucket.uri("fraud"))["scored"]
    assert sorted(scored.collect()) == sorted(table["scored"].collect())


def test_batches_and_bad_rows(table: dict[str, Any]) -> None:
    rows = run("Batches and bad rows")["scored"].collect()
    scored = {row["tx_id"]: row["fraud_score"] for row in rows}
    for row in table["scored"].collect():
        if row["tx_id"] == 3:
            assert scored[3] is None
        else:
            assert scored[row["tx_id"]] == pytest.approx(row["fraud_score"], rel=0.02, abs=0.02)


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What the DAG file gives to the DAG and to the operator. Airflow is not installed here."""
    given: dict[str, dict[str, Any]] = {}

    def keep(name: str) -> Any:
        def make(*positional: str, **arguments: Any) -> Any:
            assert name not in given
            given[name] = {"id": positional, **arguments}
            return nullcontext()

        return make

    decisions = types.SimpleNamespace(fail=lambda reason: "fail", default=lambda: "default")
    operators = "airflow.providers.apache.spark.operators.spark_submit"
    for module, names in {
        "airflow.sdk": {"DAG": keep("DAG"), "RetryPolicy": object, "RetryDecision": decisions},
        operators: {"SparkSubmitOperator": keep("operator")},
    }.items():
        fake = types.ModuleType(module)
        vars(fake).update(names)
        monkeypatch.setitem(sys.modules, module, fake)
    given["file"] = run("Airflow", 1)
    return given


def test_the_dag_scores_the_day_before(
    dag: dict[str, dict[str, Any]], table: dict[str, Any], folder: Path
) -> None:
    home, operator = dag["file"]["HOME"], dag["operator"]
    assert home.startswith("/")
    application = operator["application"].removeprefix(f"{home}/")
    assert (REPOSITORY / application).is_file()
    (folder / "conf").mkdir()
    (folder / "conf" / "nightly.yaml").write_text(blocks("Job file")[0][1])
    arguments = [
        argument.replace(home, str(folder)).replace("{{ macros.ds_add(ds, -1) }}", "2018-08-08")
        for argument in operator["application_args"]
    ]
    assert not any("{{" in argument for argument in arguments)
    done = CliRunner().invoke(app, ["score", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    assert "3 in, 3 out, 1 rejected" in done.output
    assert len(list((folder / "reports").glob("*.json"))) == 1


def test_the_dag_uses_the_environment_of_the_clone(dag: dict[str, dict[str, Any]]) -> None:
    home, operator = dag["file"]["HOME"], dag["operator"]
    assert operator["spark_binary"] == f"{home}/.venv/bin/spark-submit"
    assert operator["env_vars"] == {"PYSPARK_PYTHON": f"{home}/.venv/bin/python"}
    assert f"airflow connections add {operator['conn_id']} " in blocks("Airflow")[0][1]
    assert f"airflow dags test {dag['DAG']['id'][0]} " in blocks("Airflow")[2][1]


@pytest.mark.parametrize(
    ("code", "decision"),
    [(code, "fail") for code in (2, 3, 4)]
    + [(code, "default") for code in (1, 12, 75, 127, 130, 143, 255, -9)],
)
def test_the_dag_retries_what_may_pass(
    dag: dict[str, dict[str, Any]], code: int, decision: str
) -> None:
    # As the operator says it; the log's last lines follow.
    message = f"Cannot execute: spark-submit --name score. Error code is: {code}.\n\nLast: 2."
    policy = dag["operator"]["retry_policy"]
    assert policy.evaluate(RuntimeError(message), 1, 3, None) == decision
    assert dag["operator"]["retries"] > 0


def test_where_things_live() -> None:
    text = section("Where things live")
    package = REPOSITORY / "spark_infer"
    named = {place.partition("/")[0] for place in re.findall(r"^\| `([a-z]+/)` \|", text, re.M)}
    assert named == {path.parent.name for path in package.glob("*/__init__.py")}
    for place in re.findall(r"`([a-z_]+/[a-z_/.]*)`", text):
        assert (package / place).exists() or (REPOSITORY / place).exists(), place


def test_without_pyspark(bundle: si.Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    run("What it runs on")
    assert "column 'amount' is null" in capsys.readouterr().out
