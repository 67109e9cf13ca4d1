from __future__ import annotations

import json
from collections import Counter

import pytest

from spark_infer.engine import Metrics


def test_metrics_of_tasks_add_up() -> None:
    first = Metrics(num_rows=5, num_rejected=1, batch_rows=Counter({4: 1}))
    first.seconds["run"] = 0.5
    second = Metrics(num_rows=8, batch_rows=Counter({4: 2}))
    second.seconds.update({"run": 1.0, "decode": 0.25})
    total = first + second
    assert total.num_rows == 13
    assert total.num_rejected == 1
    assert total.num_batches == 3
    assert total.batch_rows == {4: 3}
    assert total.seconds == {"run": 1.5, "decode": 0.25}
    assert first.num_batches == 1


def test_metrics_as_json() -> None:
    metrics = Metrics(num_rows=11, num_rejected=1, batch_rows=Counter({10: 1, 2: 3}))
    metrics.seconds["run"] = 1.23456789
    assert json.loads(json.dumps(metrics.to_json())) == {
        "num_rows": 11,
        "num_rejected": 1,
        "num_batches": 4,
        "batch_rows": {"2": 3, "10": 1},
        "seconds": {"run": 1.234568},
    }


def test_time_is_counted_even_when_the_work_fails() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="broken"), metrics.timed("run"):
        raise ValueError("broken")
    assert metrics.seconds["run"] > 0
