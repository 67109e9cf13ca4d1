"""Batches that fail: out of memory, rows at fault, limits."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.backends import FunctionBackend
from spark_infer.bundle import Output, RaggedInput, ScalarInput, Signature
from spark_infer.engine import Predictor
from spark_infer.errors import PredictionError, TooManyRejects
from spark_infer.model import BatchOptions, LocalModel
from spark_infer.model.failures.failure import describe
from spark_infer.model.sizing import BatchSizer

SIGNATURE = Signature(
    inputs=[ScalarInput("x", columns=["a"], dtype="int64")], outputs=[Output("y", dtype="int64")]
)
RAGGED = Signature(
    inputs=[RaggedInput("r", column="h", dtype="int64", mask=False)],
    outputs=[Output("y", dtype="int64", lengths_of="r")],
)


def rows(values: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"a": pa.array(values, pa.int64())})


def predictor(function: Any, signature: Signature = SIGNATURE, **options: Any) -> Predictor:
    return Predictor(LocalModel(FunctionBackend(function)), signature, BatchOptions(**options))


def fails_on(bad: set[int]) -> Any:
    def model(x: Any) -> Any:
        found = [value for value in x[:, 0].tolist() if value in bad]
        if found:
            raise ValueError(f"value {found[0]} in column 'secret name' is bad")
        return x * 2

    return model


@given(
    num_rows=st.integers(1, 80),
    bad=st.sets(st.integers(0, 79)),
    batch_size=st.just("auto") | st.integers(1, 80),
    overlap=st.booleans(),
)
def test_exactly_the_bad_rows_are_rejected(
    num_rows: int, bad: set[int], batch_size: Any, overlap: bool
) -> None:
    watched = predictor(
        fails_on(bad), batch_size=batch_size, overlap=overlap, max_rejected_share=1.0
    )
    (predicted,) = watched.stream([rows(range(num_rows))])
    bad &= set(range(num_rows))
    expected = [None if row in bad else 2 * row for row in range(num_rows)]
    assert predicted["y"].to_pylist() == expected
    reasons = predicted["rejected_reason"].to_pylist()
    assert {row for row, reason in enumerate(reasons) if reason} == bad
    assert (watched.metrics.num_rejected, watched.metrics.num_failed) == (len(bad), len(bad))


def test_a_reason_names_stage_type_and_message_without_values_of_the_row() -> None:
    (predicted,) = predictor(fails_on({1}), max_rejected_share=1.0).stream([rows([0, 1])])
    (reason,) = predicted["rejected_reason"].to_pylist()[1:]
    assert reason == "run: ValueError: value ? in column ? is bad"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError(), "KeyError"),
        (ValueError("a\nb"), "ValueError: a"),
        (ValueError('"Ann" paid 12.50 on 2018-08-08'), "ValueError: ? paid ? on ?"),
        (ValueError("can't read 'two\nlines'"), "ValueError: can't read ?"),
        (ValueError("x" * 300), f"ValueError: {'x' * 200}"),
    ],
)
def test_messages_are_short_and_without_quotes_and_numbers(error: Exception, text: str) -> None:
    assert describe(error) == text


def test_on_error_fail_ends_at_the_first_failure() -> None:
    with pytest.raises(PredictionError, match=r"batch of 3 row\(s\): ValueError") as caught:
        predictor(fails_on({1}), on_error="fail").predict(rows([0, 1, 2]))
    assert isinstance(caught.value.__cause__, ValueError)


def test_bad_rows_of_a_ragged_output_leave_the_others_whole() -> None:
    def model(r: Any) -> Any:
        if (r == 7).any():
            raise ValueError("seven")
        return r + 1

    lists = [[1, 2], [7], [], [3], [7, 7, 7], [4, 5, 6]]
    batch = pa.RecordBatch.from_pydict({"h": pa.array(lists, pa.list_(pa.int64()))})
    predicted = predictor(model, RAGGED, batch_size=4).predict(batch)
    assert predicted["y"].to_pylist() == [[2, 3], None, [], [4], None, [5, 6, 7]]


def test_too_large_a_share_of_failed_rows_stops_with_examples() -> None:
    bad = set(range(0, 3000, 2))
    watched = predictor(fails_on(bad), max_rejected_share=0.4, batch_size=100)
    with pytest.raises(TooManyRejects, match=r"401 of 1,000 rows.*0\.4.*first: run: ValueError"):
        list(watched.stream(rows(range(start, start + 500)) for start in range(0, 3000, 500)))


def test_the_share_of_few_rows_is_checked_at_the_end() -> None:
    watched = predictor(fails_on({0, 1}), max_rejected_share=0.5)
    stream = watched.stream([rows([0, 1, 2])])
    assert next(stream)["y"].to_pylist() == [None, None, 4]
    with pytest.raises(TooManyRejects, match="2 of 3 rows"):
        next(stream)


def test_rows_that_a_null_rule_rejects_are_not_failures() -> None:
    watched = predictor(fails_on(set()), max_rejected_share=0.0)
    (predicted,) = watched.stream([rows([None, None, 1])])
    assert predicted["y"].to_pylist() == [None, None, 2]
    assert (watched.metrics.num_rejected, watched.metrics.num_failed) == (2, 0)


def test_a_model_that_always_fails_stops_at_the_limit_of_bisections() -> None:
    watched = predictor(fails_on(set(range(5000))), max_bisections=50, batch_size=1024)
    with pytest.raises(TooManyRejects, match=r"50 batches.*max_bisections.*first: run: ValueError"):
        watched.predict(rows(range(5000)))


def test_a_half_that_must_hold_the_fault_is_not_run() -> None:
    sizes: list[int] = []

    def model(x: Any) -> Any:
        sizes.append(len(x))
        return fails_on({15})(x)

    watched = predictor(model, batch_size=16)
    watched.predict(rows(range(16)))
    # The first half of each passes, so that of the second one only the last row runs.
    assert sizes == [16, 8, 4, 2, 1, 1]


def test_a_batch_that_fails_by_chance_loses_no_row() -> None:
    num_runs = 0

    def model(x: Any) -> Any:
        nonlocal num_runs
        num_runs += 1
        if num_runs == 1:
            raise OSError("the network is down")
        return x * 2

    predicted = predictor(model).predict(rows(range(10)))
    assert predicted["y"].to_pylist() == list(range(0, 20, 2))
    assert predicted["rejected_reason"].null_count == 10


def test_batches_shrink_while_rows_fail() -> None:
    sizes: list[int] = []

    def model(x: Any) -> Any:
        sizes.append(len(x))
        time.sleep(len(x) * 1e-5)
        return fails_on(set(range(500, 100_000, 1000)))(x)

    watched = predictor(model, batch_size=4096)
    list(watched.stream(rows(range(start, start + 4096)) for start in range(0, 40_960, 4096)))
    assert sizes[0] == 4096
    assert max(sizes[-10:]) < 2048


def limited(most: int, error: Exception, seen: list[int]) -> Any:
    def model(x: Any) -> Any:
        if len(x) > most:
            raise error
        seen.append(len(x))
        return x * 2

    return model


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("Failed to allocate memory for requested buffer of size 8"),
    ],
)
@pytest.mark.parametrize("batch_size", ["auto", 512])
def test_out_of_memory_splits_and_lowers_the_ceiling(error: Exception, batch_size: Any) -> None:
    seen: list[int] = []
    watched = predictor(limited(100, error, seen), batch_size=batch_size)
    for _ in range(20):
        predicted = watched.predict(rows(range(1000)))
        assert predicted["y"].to_pylist() == list(range(0, 2000, 2))
    assert max(seen) <= 100
    # The ceiling is learned at once: no more than a few batches ever failed.
    assert 1 <= watched.metrics.num_splits <= 4
    assert watched.metrics.num_bisections == 0


def test_a_row_that_does_not_fit_alone_is_rejected() -> None:
    def model(r: Any) -> Any:
        if r.size > 6:
            raise MemoryError
        return r

    lists = [[1] * length for length in (1, 9, 3, 5)]
    batch = pa.RecordBatch.from_pydict({"h": pa.array(lists, pa.list_(pa.int64()))})
    predicted = predictor(model, RAGGED).predict(batch)
    assert [row is None for row in predicted["y"].to_pylist()] == [False, True, False, False]
    assert predicted["rejected_reason"].to_pylist()[1] == "run: MemoryError"
    with pytest.raises(PredictionError, match="failed on a row: run: MemoryError"):
        predictor(model, RAGGED, on_error="fail").predict(batch)


@pytest.mark.processes
def test_a_memory_limit_of_the_process_is_survived() -> None:
    """A real allocator that really fails: the address space is limited."""
    script = textwrap.dedent(
        """
        import resource
        import pyarrow as pa, torch
        import spark_infer as si
        from spark_infer.backends.torch.backend import TorchBackend

        class Wide(torch.nn.Module):
            def forward(self, x):  # 4 MiB a row
                return x.expand(-1, 1 << 20).clone().sum(1)

        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")]
        )
        backend = TorchBackend(Wide(), ["y"], threads=1)
        predictor = si.Predictor(
            si.LocalModel(backend), signature, si.BatchOptions(batch_size=1000)
        )
        values = [float(value) for value in range(1000)]
        batch = pa.RecordBatch.from_pydict({"a": pa.array(values, pa.float32())})
        predictor.predict(batch.slice(0, 8))
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + (1 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        predicted = predictor.predict(batch)
        expected = [value * (1 << 20) for value in values]
        assert predicted["y"].to_pylist() == expected, predicted["rejected_reason"]
        print("splits", predictor.metrics.num_splits)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) >= 1


def test_a_budget_below_one_row_runs_the_row_alone_and_counts_it() -> None:
    shapes = []

    def model(r: Any) -> Any:
        shapes.append(r.shape)
        return r

    lists = [[1] * length for length in (9, 2, 1)]
    batch = pa.RecordBatch.from_pydict({"h": pa.array(lists, pa.list_(pa.int64()))})
    watched = predictor(model, RAGGED, max_tokens=4)
    assert watched.predict(batch)["y"].to_pylist() == lists
    assert shapes == [(1, 9), (2, 2)]
    assert watched.metrics.num_oversized == 1


def test_rows_of_zero_length_and_all_null_rows() -> None:
    column = pa.array([[], [], []], pa.list_(pa.int64()))
    batch = pa.RecordBatch.from_pydict({"h": column})
    assert predictor(lambda r: r, RAGGED).predict(batch)["y"].to_pylist() == [[], [], []]
    nulls = pa.RecordBatch.from_pydict({"h": pa.nulls(3, pa.list_(pa.int64()))})
    watched = predictor(lambda r: 1 / 0, RAGGED)
    assert watched.predict(nulls)["y"].to_pylist() == [None] * 3
    assert watched.metrics.num_batches == 0


def test_values_that_are_not_finite_are_rejected_where_the_signature_says_so() -> None:
    outputs = [Output("y", finite=True), Output("z"), Output("w", lengths_of="r", finite=True)]
    inputs = [ScalarInput("x", columns=["a"]), RaggedInput("r", column="h")]
    signature = Signature(inputs=inputs, outputs=outputs)
    batch = pa.RecordBatch.from_pydict(
        {
            "a": pa.array([1.0, np.nan, np.inf, 4.0, 5.0]),
            "h": pa.array([[1.0], [2.0], [3.0], [4.0, np.inf], [5.0, 6.0]]),
        }
    )

    def model(x: Any, r: Any, r_mask: Any) -> Any:
        # What stands at padding is nobody's prediction.
        return [x[:, 0], x[:, 0], np.where(r_mask, r, np.nan)]

    watched = predictor(model, signature, max_rejected_share=1.0)
    predicted = watched.predict(batch)
    assert predicted["y"].to_pylist() == [1.0, None, None, None, 5.0]
    assert predicted["z"].to_pylist() == [1.0, None, None, None, 5.0]
    assert predicted["w"].to_pylist() == [[1.0], None, None, None, [5.0, 6.0]]
    assert predicted["rejected_reason"].to_pylist() == [
        None,
        "run: output 'y' is NaN or infinite",
        "run: output 'y' is NaN or infinite",
        "run: output 'w' is NaN or infinite",
        None,
    ]
    assert watched.metrics.num_failed == 3
    with pytest.raises(PredictionError, match="failed on a row: run: output 'y' is NaN"):
        predictor(model, signature, on_error="fail").predict(batch)


def test_an_error_while_reading_reaches_the_caller_with_its_traceback() -> None:
    def source() -> Iterator[pa.RecordBatch]:
        yield rows([1])
        raise OSError("the disk is gone")

    for overlap in (False, True):
        with pytest.raises(OSError, match="the disk is gone") as caught:
            list(predictor(fails_on(set()), overlap=overlap).stream(source()))
        assert "source" in [entry.name for entry in caught.traceback]


def test_an_abandoned_stream_closes_its_source() -> None:
    closed = []

    def source() -> Iterator[pa.RecordBatch]:
        try:
            for start in range(1000):
                yield rows([start])
        finally:
            closed.append(True)

    for overlap in (False, True):
        stream = predictor(fails_on(set()), overlap=overlap).stream(source())
        next(stream)
        stream.close()
    assert closed == [True, True]


def test_a_row_that_does_not_fit_alone_says_nothing_about_batch_sizes() -> None:
    sizes: list[int] = []

    def model(x: Any) -> Any:
        sizes.append(len(x))
        if (x == 7).any():
            raise MemoryError
        return 2 * x[:, 0]

    sizer = BatchSizer()
    options = BatchOptions(batch_size=256, dedupe=False)
    watched = Predictor(LocalModel(FunctionBackend(model), sizer), SIGNATURE, options)
    for start in (0, 1_000, 2_000):
        predicted = watched.predict(rows(range(start, start + 1_000)))
        failed = [row for row, y in enumerate(predicted["y"].to_pylist()) if y is None]
        assert failed == ([7] if start == 0 else [])
    assert sizer.ceiling(1) == sys.maxsize
    assert sizes[-1] == 250


def test_rows_that_all_fail_stop_when_the_limit_is_certain_to_be_passed() -> None:
    num_runs = 0

    def model(x: Any) -> Any:
        nonlocal num_runs
        num_runs += 1
        raise ValueError("broken")

    watched = predictor(model, max_rejected_share=0.01, batch_size=100)
    with pytest.raises(TooManyRejects, match=r"max_rejected_share 0\.01.*raise the limit"):
        watched.predict(rows(range(10_000)))
    assert num_runs < 500


def test_a_device_that_does_no_more_work_ends_the_prediction() -> None:
    def model(x: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered\nmore")

    with pytest.raises(PredictionError, match=r"no more work.*with device 'cpu'"):
        predictor(model).predict(rows(range(10)))
