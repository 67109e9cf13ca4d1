"""What SQL functions say of themselves, and what is checked before the first query."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyspark
import pytest
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.errors import BundleError, ConfigError, RuntimeUnavailable
from tests.unit.support.models import HERE, save_recurrent

SPARK_4 = pyspark.__version__ >= "4"


def described(spark: SparkSession, name: str) -> str:
    lines = spark.sql(f"DESCRIBE FUNCTION EXTENDED {name}").collect()
    return "\n".join(row[0] for row in lines)


def test_a_function_names_its_arguments(
    spark: SparkSession, mixture: si.Bundle, rows: DataFrame
) -> None:
    for name in ("mixed", "Mixed_2"):
        si.register(spark, name, mixture)
        text = described(spark, name)
        assert f"{name}(a, b, w) - Returns the prediction of the bundle mixture, struct<" in text
        assert "* a - float, for input numbers" in text
        assert "* w - array<string>, for input words" in text
        rows.createOrReplaceTempView("rows")
        assert spark.sql(f"SELECT {name}(a, b, w).score FROM rows WHERE id = 1").first()[0] == 121.0
    # A function that takes the place of another one has its own description.
    si.register(spark, "mixed", mixture, kind="pandas")
    assert "* w - array<string>" in described(spark, "mixed")


def moved(bundle: si.Bundle, path: Path, module: str) -> Path:
    """Copy a bundle of format module that names another class."""
    shutil.copytree(bundle.path, path)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["artifacts"]["base"]["model"]["module"] = module
    (path / "manifest.json").write_text(json.dumps(manifest))
    seal(path)
    return path


@pytest.mark.parametrize(
    ("module", "allowed", "error", "problem"),
    [
        (f"{HERE}:Recurrent", (), BundleError, "not in allow_modules"),
        ("tests.unit.nowhere:C", ("tests",), RuntimeUnavailable, "cannot be imported here"),
        (f"{HERE}:Nothing", (HERE,), BundleError, "cannot be imported .*no attribute 'Nothing'"),
        (f"{HERE}:fraud_rows", (HERE,), BundleError, "is no subclass of torch.nn.Module"),
    ],
)
def test_the_code_of_a_bundle_is_looked_at_before_the_first_query(
    spark: SparkSession,
    tmp_path: Path,
    module: str,
    allowed: Any,
    error: type[Exception],
    problem: str,
) -> None:
    bundle = Bundle.load(moved(save_recurrent(tmp_path / "b"), tmp_path / "moved", module))
    rows = spark.sql("SELECT array(struct(1F AS amount, 2F AS gap)) AS visits")
    for call in (
        lambda: si.predict(rows, bundle, allow_modules=allowed),
        lambda: si.predict_udf(spark, bundle, allow_modules=allowed),
        lambda: si.register(spark, "moved", bundle, allow_modules=allowed),
    ):
        with pytest.raises(error, match=problem):
            call()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"keep": "tx_id"}, r"keep must be a list of column names, such as \['tx_id'\]"),
        ({"keep": [1]}, "keep must be a list of column names, got 1"),
        ({"keep": {"a": 1}}, "keep must be a list of column names"),
        ({"options": {"batch_size": 1}}, "options must be BatchOptions, got dict"),
        ({"metrics": 0}, "metrics must be a metrics_accumulator, got 0"),
        ({"allow_modules": None}, "allow_modules must be a list of import paths, got None"),
        ({"digest": 5}, "digest must be the 64"),
    ],
)
def test_arguments_of_other_kinds_are_refused_at_once(
    mixture: si.Bundle, rows: DataFrame, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        si.predict(rows, mixture, **options)


@pytest.mark.parametrize("given", [5, None, ["a"], 1.5])
def test_what_is_no_column_is_no_argument(
    spark: SparkSession, mixture: si.Bundle, given: Any
) -> None:
    score = si.predict_udf(spark, mixture)
    for call in (lambda: score(given, "b", "w"), lambda: score(a="a", b=given, w="w")):
        with pytest.raises(ConfigError, match="an argument must be a Column or the name of one"):
            call()
    for name in (given, "a b", ""):
        with pytest.raises(ConfigError, match="cannot name a SQL function"):
            si.register(spark, name, mixture)


@pytest.mark.parametrize("name", ["mode", "Sum", "abs", "array", "count", "trim", "explode"])
def test_the_name_of_a_function_of_spark_is_refused(
    spark: SparkSession, mixture: si.Bundle, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' is a function of Spark, .* choose another"):
        si.register(spark, name, mixture)
    si.register(spark, f"my_{name}", mixture)
    si.register(spark, f"my_{name}", mixture)
