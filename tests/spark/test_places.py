"""Bundles and reports behind URIs, on an S3-compatible server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.bundle.files.digest import SUMS_FILE
from spark_infer.errors import BundleError
from tests.s3 import Bucket

pytestmark = pytest.mark.one_spark


def upload(bucket: Bucket, bundle: si.Bundle, key: str) -> str:
    for name in (*bundle.files, SUMS_FILE):
        bucket.put(f"{key}/{name}", (bundle.path / name).read_bytes())
    return bucket.uri(key)


def test_rows_are_predicted_as_with_the_local_bundle(
    spark: SparkSession, mixture: si.Bundle, rows: DataFrame, bucket: Bucket
) -> None:
    uri = upload(bucket, mixture, "bundles/mixture")
    expected = si.predict(rows, mixture, keep=["id"]).collect()
    assert si.predict(rows, uri, keep=["id"], digest=mixture.digest).collect() == expected
    score = si.predict_udf(spark, uri)
    scores = rows.select("id", score().alias("p")).collect()
    assert [row.p and row.p.score for row in scores] == [row.score for row in expected]
    si.register(spark, "mixture_score", uri)
    scores = rows.selectExpr("id", "mixture_score(a, b, w) AS p").collect()
    assert [row.p and row.p.score for row in scores] == [row.score for row in expected]
    with pytest.raises(BundleError, match="is asked for"):
        si.predict(rows, uri, digest="0" * 64)


def test_a_job_reads_its_bundle_and_writes_its_report_there(
    spark: SparkSession, linear: si.Bundle, bucket: Bucket, tmp_path: Path
) -> None:
    spark.range(4).selectExpr("id", "CAST(id AS double) a", "CAST(id AS int) b").write.parquet(
        str(tmp_path / "rows")
    )
    path = tmp_path / "job.yaml"
    uri = upload(bucket, linear, "linear")
    content = {
        "name": "nightly",
        "source": {"path": str(tmp_path / "rows")},
        "key": ["id"],
        "bundle": {"path": uri, "digest": linear.digest},
        "target": {"table": "places_scores", "mode": "append"},
        "report": {"path": bucket.uri("reports")},
    }
    path.write_text(yaml.safe_dump(content))
    try:
        report = si.ScoringJob.load(path).run(spark)
        scores = spark.table("places_scores").orderBy("id").collect()
    finally:
        spark.sql("DROP TABLE IF EXISTS places_scores")
    assert [row.score for row in scores] == [0.0, 21.0, 42.0, 63.0]
    stem = f"reports/nightly-{report.run_id}"
    keys = [key for key in bucket.names() if key.startswith("reports/") and key[-1] != "/"]
    assert keys == [f"{stem}.html", f"{stem}.json"]
    key = keys[1]
    assert json.loads(bucket.get(key)) == json.loads(json.dumps(report.to_json()))
    assert report.bundle == {"path": uri, "name": "linear", "digest": linear.digest}
