from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from spark_infer.metrics import Metrics
from spark_infer.model.sizing import Ceiling, LearnedSize


def learned(tokens: int) -> LearnedSize:
    return LearnedSize(tokens, None, {tokens: 1.0}, settled=True)


def test_metrics_of_tasks_add_up() -> None:
    first = Metrics(num_rows=5, num_rejected=1, batch_rows=Counter({4: 1}))
    first.seconds["run"] = 0.5
    first.peak_memory_bytes = 300
    first.learned = {8: learned(512), 16: learned(1024)}
    second = Metrics(num_rows=8, batch_rows=Counter({4: 2}), num_failed=2, num_cached=3)
    second.seconds.update({"run": 1.0, "wait": 0.25})
    second.peak_memory_bytes = 200
    second.learned = {16: learned(2048), 32: learned(256)}
    total = first + second
    assert (total.num_rows, total.num_rejected, total.num_failed, total.num_cached) == (13, 1, 2, 3)
    assert total.num_batches == 3
    assert total.batch_rows == {4: 3}
    assert total.seconds == {"run": 1.5, "wait": 0.25}
    assert total.peak_memory_bytes == 300
    assert total.learned == {8: learned(512), 16: learned(2048), 32: learned(256)}
    assert first.num_batches == 1


def test_every_count_is_in_the_json() -> None:
    metrics = Metrics(num_rows=11, num_rejected=1, learned={16: learned(512)})
    # What only memory has limited so far is not learned from batches.
    metrics.learned[64] = LearnedSize(128, Ceiling(128, 0.0), {}, settled=False)
    metrics.count_batch(9, 60, 80)
    metrics.count_batch(2, 20, 20)
    metrics.count_lengths(np.array([0, 1, 2, 3, 4, 5, 200]))
    metrics.seconds["run"] = 1.23456789
    data = json.loads(json.dumps(metrics.to_json()))
    assert set(data) == {item.name for item in fields(Metrics)} - {"learned"} | {
        "learned_tokens",
        "num_batches",
        "padding_efficiency",
    }
    assert (data["num_rows"], data["num_rejected"], data["num_batches"]) == (11, 1, 2)
    assert data["batch_rows"] == {"2": 1, "16": 1}
    assert data["row_lengths"] == {"0": 1, "1": 1, "2": 1, "4": 2, "8": 1, "256": 1}
    assert data["learned_tokens"] == {"16": 512}
    assert data["padding_efficiency"] == 0.8
    assert data["seconds"] == {"run": 1.234568}


def test_without_ragged_inputs_nothing_is_padded() -> None:
    assert Metrics().padding_efficiency == 1.0


def test_time_is_counted_even_when_the_work_fails() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="broken"), metrics.timed("run"):
        raise ValueError("broken")
    assert metrics.seconds["run"] > 0
