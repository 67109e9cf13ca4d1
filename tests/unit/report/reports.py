"""Run reports with all that one can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from spark_infer.bundle.profile import Distribution, ks, psi
from spark_infer.report import RunReport

RUN_ID = "20180808T040000.000000Z-0a1b2c3d"


def column(
    name: str, now: Any, before: Any = None, kind: str = "feature", labels: Any = None
) -> dict[str, Any]:
    """Return what a report says of a column with these values."""
    cuts = [at + 0.5 for at in range(len(labels) - 1)] if labels else None
    reference = None if before is None else Distribution.of(np.asarray(before, float), 0, cuts)
    found = Distribution.of(
        np.asarray(now, float), 0, cuts if reference is None else reference.cuts
    )
    by_label = labels is not None
    return {
        "column": name,
        "kind": kind,
        "labels": list(labels or ()),
        "now": found.to_json(),
        "reference": None if reference is None else reference.to_json(),
        "psi": None if reference is None else psi(reference, found, by_label=by_label),
        "ks": None if reference is None else ks(reference, found),
        "origin": "" if reference is None else "kept in the bundle since it was saved",
    }


def checked(name: str, outcome: str = "passed", **changes: Any) -> dict[str, Any]:
    """Return the result of a check."""
    return {
        "check": name,
        "name": name,
        "column": "",
        "value": 0.0123,
        "limit": "at most 0.2",
        "action": "stop",
        "outcome": outcome,
        "note": "",
    } | changes


def challenger(name: str, share: float | None, **changes: Any) -> dict[str, Any]:
    """Return what a report says of a challenger."""
    measured = share is not None
    found = {
        "rows": 1_204_331,
        "compared": 1_203_900 if measured else 0,
        "rejected_by_challenger": 19 if measured else 1_203_919,
        "rejected_by_champion": 12 if measured else 0,
        "rejected_by_both": 400 if measured else 412,
        "failed": 0,
        "problem": "column 'hour' is null" if measured else "",
        "run_seconds": 398.4,
        "outputs": [
            {
                "output": "fraud_score",
                "kind": "number",
                "different": 25_643 if measured else 0,
                "share": share,
                "mean_difference": 0.0031 if measured else None,
                "max_difference": 0.4412 if measured else None,
            },
            {
                "output": "kind",
                "kind": "label",
                "different": 204 if measured else 0,
                "share": 0.000169 if measured else None,
                "mean_difference": None,
                "max_difference": None,
            },
        ],
    }
    return {
        "name": name,
        "bundle": {"path": f"s3://models/{name}", "name": name, "digest": "a1b2c3d4" * 8},
        "shadow": changes.pop("shadow", False),
        "tolerance": 0.01,
        "disagreement": found | changes,
    }


def full_report(**changes: Any) -> RunReport:
    """Return the report of a run that came to its end."""
    random = np.random.default_rng(7)
    scores = random.beta(1.2, 9, 5_000), random.beta(1, 12, 20_000)
    amounts = random.lognormal(4.3, 1.1, 5_000), random.lognormal(4, 1, 20_000)
    hours = random.integers(0, 24, 5_000), random.integers(0, 24, 20_000)
    kinds = (
        random.choice(3, 5_000, p=[0.7, 0.2, 0.1]),
        random.choice(3, 20_000, p=[0.8, 0.15, 0.05]),
    )
    fields: dict[str, Any] = {
        "job": "nightly",
        "run_id": RUN_ID,
        "status": "done",
        "started_at": "2018-08-08T04:00:00+00:00",
        "finished_at": "2018-08-08T04:03:41+00:00",
        "parameters": {"date": "2018-08-08"},
        "bundle": {"name": "fraud", "digest": "4f1a9b3c" * 8, "path": "s3://models/fraud"},
        "source": "bank.transactions where tx_date = :date",
        "target": "bank.predictions",
        "spark_application_id": "application_1533686400000_0042",
        "versions": {"spark-infer": "0.1.0", "python": "3.11.2", "pyspark": "4.3.0"},
        "scan": "direct: the workers read 1,250,000 rows, 96.4 MB",
        "writer": "workers",
        "rows_in": 1_204_331,
        "rows_out": 1_204_331,
        "rows_rejected": 412,
        "seconds": {
            "bundle": 0.043,
            "start": 11.2,
            "source": 0.9,
            "check": 4.31,
            "load": 3.05,
            "score": 181.42,
            "keys": 9.7,
            "gate": 6.21,
            "write": 2.4,
        },
        "rows_per_second": 6638.4,
        "snapshot": [
            {
                "kind": "files",
                "place": "spark_catalog.bank.transactions",
                "num_partitions": 1,
                "num_files": 24,
                "num_bytes": 101_083_442,
                "digest": "91ce" * 16,
            },
            {"kind": "iceberg", "place": "lake.bank.shops", "snapshot_id": "4029301845770142233"},
        ],
        "throughput": [
            {"seconds": 4.5 * (at + 1), "rows": int(1_204_331 * ((at + 1) / 40) ** 1.1)}
            for at in range(40)
        ],
        "rejects": [
            {
                "reason": "column 'amount' is null",
                "count": 401,
                "examples": [{"tx_id": "1007", "shop": "7"}, {"tx_id": "99310", "shop": "<b>"}],
            },
            {"reason": "score is not finite", "count": 11, "examples": [{"tx_id": "5"}]},
        ],
        "batches": {
            "num_rows": 1_204_331,
            "num_predicted": 1_100_203,
            "num_repeats": 80_116,
            "num_cached": 23_600,
            "num_rejected": 412,
            "num_splits": 2,
            "num_real": 41_203_556,
            "num_padded": 43_100_233,
            "num_batches": 2_311,
            "padding_efficiency": 0.956,
            "batch_rows": {"64": 12, "128": 88, "256": 301, "512": 1_910},
            "row_lengths": {"8": 40_211, "16": 310_300, "32": 700_820, "64": 150_000, "128": 3_000},
            "seconds": {
                "wait": 211.0,
                "load": 5.2,
                "assemble": 60.4,
                "transform": 20.0,
                "run": 402.8,
                "unpack": 22.5,
            },
            "peak_memory_bytes": 812 << 20,
        },
        "gate": [
            checked("rows", value=1_204_331.0, limit="at least 1"),
            checked("nulls", column="fraud_score", value=0.000342, limit="at most 50.0000%"),
            checked("row_ratio", value=1.02, note="1,204,331 rows, before 1,180,712"),
            checked("psi", "warned", column="fraud_score", value=0.31, action="warn"),
            checked("all are there", check="sql", value=True, limit="that count(*) > 0 is true"),
        ],
        "challengers": [
            challenger("next", 0.0213),
            challenger("shadowed", None, shadow=True, failed=204, problem="PredictionError: <b>"),
        ],
        "drift": [
            column("fraud_score", *scores, kind="output"),
            column("kind", *kinds, kind="output", labels=["card", "transfer", "cash"]),
            column("amount", *amounts),
            column("hour_of_day", *hours),
            column("is_weekend", hours[0] > 15, hours[1] > 17),
        ],
        "commands": {
            "again": "spark-infer score conf/nightly.yaml --set date=2018-08-08",
            "score": "spark-infer score conf/nightly.yaml --set date=2018-08-09",
            "recover": "spark-infer recover conf/nightly.yaml --set date=2018-08-08",
            "publish": f"spark-infer publish conf/nightly.yaml {RUN_ID}",
            "drop": f"spark-infer drop conf/nightly.yaml {RUN_ID}",
        },
    }
    return RunReport(**{**fields, **changes})
