from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.backends import FunctionBackend, HostBackend
from spark_infer.bundle import Column, Output, RaggedInput, ScalarInput, Signature
from spark_infer.engine import Layout, Predictor
from spark_infer.engine.repeats import PredictionCache
from spark_infer.errors import ConfigError, PredictionError, SignatureError
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions, LocalModel

SIGNATURE = Signature(
    inputs=[
        ScalarInput("x", columns=["a", Column("b", nulls=0)], dtype="int64"),
        RaggedInput("r", column="h", dtype="int64", max_length=4, overflow="reject", pad_value=99),
    ],
    outputs=[
        Output("total", dtype="int64"),
        Output("doubled", dtype="int64", lengths_of="r"),
        Output("pair", dtype="int64", shape=[2]),
    ],
)
SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("h", pa.list_(pa.int64()))])
NUMBERS = st.none() | st.integers(-9, 9)
HISTORIES = st.none() | st.lists(st.integers(-9, 9), max_size=5)
ROWS = st.lists(st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS, "h": HISTORIES}), max_size=12)


def model(x: Any, r: Any, r_mask: Any) -> list[npt.NDArray[Any]]:
    return [x.sum(1) + (r * r_mask).sum(1), r * 2, x[:, ::-1]]


def expected(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the prediction of one row, in plain Python."""
    a, b, h = row["a"], row["b"] or 0, row["h"]
    reason = None
    if a is None:
        reason = "column 'a' is null"
    elif h is None:
        reason = "column 'h' is null"
    elif len(h) > 4:
        reason = "column 'h' is longer than 4"
    if reason:
        return {"total": None, "doubled": None, "pair": None, "rejected_reason": reason}
    doubled = [2 * value for value in h]
    return {"total": a + b + sum(h), "doubled": doubled, "pair": [b, a], "rejected_reason": None}


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def predictor(function: Any = model, **options: Any) -> Predictor:
    return Predictor(LocalModel(FunctionBackend(function)), SIGNATURE, BatchOptions(**options))


@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=4), batch_size=st.integers(1, 13))
def test_every_split_into_record_batches_and_batches_predicts_the_same(
    rows: list[dict[str, Any]], cuts: list[int], batch_size: int
) -> None:
    whole = batch_of(rows)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [whole.slice(i, j - i) for i, j in itertools.pairwise(edges)]
    predicted = list(predictor(batch_size=batch_size).stream(pieces))
    assert [len(piece) for piece in predicted] == [len(piece) for piece in pieces]
    found = [row for piece in predicted for row in piece.to_pylist()]
    assert found == [expected(row) for row in rows]


@given(rows=ROWS, row=st.integers(0, 11))
def test_a_prediction_does_not_depend_on_the_neighbours(
    rows: list[dict[str, Any]], row: int
) -> None:
    together = predictor().predict(batch_of(rows)).to_pylist()
    alone = predictor().predict(batch_of(rows[row : row + 1])).to_pylist()
    assert alone == together[row : row + 1]


def test_a_table_is_predicted_like_a_record_batch() -> None:
    rows = [{"a": 1, "b": None, "h": [1, 2]}, {"a": None, "b": 1, "h": []}]
    table = pa.Table.from_batches([batch_of(rows[:1]), batch_of(rows[1:])])
    predicted = predictor().predict(table)
    assert isinstance(predicted, pa.RecordBatch)
    assert predicted.to_pylist() == [expected(row) for row in rows]


def test_the_schema_is_the_same_for_every_batch() -> None:
    for rows in ([], [{"a": None, "b": 1, "h": None}], [{"a": 1, "b": 1, "h": [1]}]):
        predicted = predictor().predict(batch_of(rows))
        assert predicted.schema == predictor().schema
        predicted.validate(full=True)
    assert predictor().schema.names == ["total", "doubled", "pair", "rejected_reason"]
    assert predictor().column_names == ("a", "b", "h")


def test_the_model_gets_no_more_rows_than_the_batch_size_and_no_rejected_ones() -> None:
    seen = []

    def counting(x: Any, r: Any, r_mask: Any) -> Any:
        seen.append(len(x))
        return model(x, r, r_mask)

    rows = [{"a": None if i % 3 == 0 else i, "b": 0, "h": [i]} for i in range(9)]
    watched = predictor(counting, batch_size=4)
    watched.predict(batch_of(rows))
    assert seen == [4, 2]
    metrics = watched.metrics
    assert (metrics.num_rows, metrics.num_rejected, metrics.num_batches) == (9, 3, 2)
    assert metrics.batch_rows == {4: 1, 2: 1}
    assert set(metrics.seconds) == {"wait", "assemble", "run", "unpack"}


def test_a_batch_is_padded_to_its_own_longest_row() -> None:
    shapes = []

    def watching(x: Any, r: Any, r_mask: Any) -> Any:
        shapes.append(r.shape)
        return model(x, r, r_mask)

    rows = [{"a": 1, "b": 1, "h": [1] * length} for length in (0, 1, 4, 2)]
    predictor(watching, batch_size=2).predict(batch_of(rows))
    assert shapes == [(2, 4), (2, 1)]


def test_windows_padding_and_budget_do_not_change_predictions() -> None:
    """The property test below varies all of it; here the batches themselves are looked at."""
    shapes = []

    def watching(x: Any, r: Any, r_mask: Any) -> Any:
        shapes.append(r.shape)
        return model(x, r, r_mask)

    rows = [{"a": 1, "b": i, "h": [1] * length} for i, length in enumerate((0, 1, 4, 2, 3, 4))]
    options = {"window_rows": 4, "max_tokens": 8, "pad_multiple": 2, "dedupe": False}
    options["overlap"] = False
    pieces = [batch_of(rows[:3]), batch_of(rows[3:])]
    predicted = list(predictor(watching, **options).stream(pieces))
    assert [row for piece in predicted for row in piece.to_pylist()] == [*map(expected, rows)]
    assert shapes == [(2, 4), (1, 2), (2, 4), (1, 2)]


@given(
    rows=ROWS,
    cuts=st.lists(st.integers(0, 12), max_size=4),
    options=st.fixed_dictionaries(
        {
            "batch_size": st.just("auto") | st.integers(1, 13),
            "max_tokens": st.none() | st.integers(1, 40),
            "window_rows": st.integers(1, 14),
            "window_bytes": st.integers(1, 2000),
            "pad_multiple": st.integers(1, 4),
            "bucket_edges": st.sampled_from([(), (2,), (1, 3)]),
            "dedupe": st.sampled_from([True, False, "auto"]),
            "cache_bytes": st.sampled_from([0, 2000, 10**6]),
            "overlap": st.booleans(),
        }
    ),
    order=st.randoms(use_true_random=False),
)
def test_a_prediction_depends_on_its_row_alone(
    rows: list[dict[str, Any]], cuts: list[int], options: dict[str, Any], order: Any
) -> None:
    order.shuffle(rows)
    whole = batch_of(rows)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [whole.slice(i, j - i) for i, j in itertools.pairwise(edges)]
    predicted = list(predictor(**options).stream(pieces))
    assert [len(piece) for piece in predicted] == [len(piece) for piece in pieces]
    assert [row for piece in predicted for row in piece.to_pylist()] == [*map(expected, rows)]


class Same(HostBackend):
    """Returns its tensors, and keeps them."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def run(self, tensors: Mapping[str, Any]) -> Sequence[Any]:
        self.seen += tensors.values()
        return [*tensors.values()]


def test_a_batch_of_one_input_column_is_not_copied() -> None:
    values = np.arange(6, dtype=np.float32)
    signature = Signature(inputs=[ScalarInput("x", columns=["a"])], outputs=[Output("y")])
    backend = Same()
    batch = pa.RecordBatch.from_pydict({"a": pa.array(values)})
    predicted = Predictor(LocalModel(backend), signature, BatchOptions(batch_size=4)).predict(batch)
    assert [len(tensor) for tensor in backend.seen] == [3, 3]
    buffer = np.frombuffer(batch["a"].buffers()[1], np.float32)
    assert all(np.shares_memory(tensor, buffer) for tensor in backend.seen)
    assert predicted["y"].to_pylist() == values.tolist()


@pytest.mark.parametrize("overlap", [False, True])
def test_no_more_is_held_than_the_window_and_one_record_batch(overlap: bool) -> None:
    num_read = num_returned = most = 0

    def source() -> Any:
        nonlocal num_read, most
        for start in range(0, 400, 2):
            num_read += 2
            most = max(most, num_read - num_returned)
            yield batch_of([{"a": row, "b": 0, "h": [row]} for row in range(start, start + 2)])

    options = {"window_rows": 16, "batch_size": 1, "overlap": overlap}
    for predicted in predictor(**options).stream(source()):
        assert num_read - num_returned <= 16 + 2
        num_returned += len(predicted)
    assert (num_read, num_returned) == (400, 400)
    assert most <= 16 + 2


@pytest.mark.parametrize("overlap", [False, True])
def test_a_window_is_bounded_in_bytes(overlap: bool) -> None:
    sizes = []

    def watching(x: Any, r: Any, r_mask: Any) -> Any:
        sizes.append(len(x))
        return model(x, r, r_mask)

    rows = [{"a": row, "b": 0, "h": [1] * 4} for row in range(1000)]
    whole = batch_of(rows)
    options = {"window_bytes": whole.nbytes // 10, "overlap": overlap, "dedupe": False}
    (predicted,) = predictor(watching, **options).stream([whole])
    assert predicted.to_pylist() == [*map(expected, rows)]
    assert max(sizes) <= 101


def test_equal_rows_run_once_unless_the_model_is_stochastic() -> None:
    sizes = []

    def watching(x: Any, r: Any, r_mask: Any) -> Any:
        sizes.append(len(x))
        return model(x, r, r_mask)

    rows = [{"a": row % 3, "b": 0, "h": [row % 3]} for row in range(30)]
    for stochastic, dedupe in [(False, True), (True, True), (False, False)]:
        options = BatchOptions(dedupe=dedupe)
        backend = FunctionBackend(watching)
        backend.stochastic = stochastic
        watched = Predictor(LocalModel(backend), SIGNATURE, options)
        for _ in range(3):
            assert watched.predict(batch_of(rows)).to_pylist() == [*map(expected, rows)]
    assert sizes == [3, *[30] * 6]


def test_a_cache_is_shared_and_may_be_declined() -> None:
    cache = PredictionCache()
    rows = batch_of([{"a": row, "b": 0, "h": [row]} for row in range(10)])
    counts = []
    for cache_bytes in (10**6, 10**6, 0):
        watched = Predictor(
            LocalModel(FunctionBackend(model)),
            SIGNATURE,
            BatchOptions(dedupe=True, cache_bytes=cache_bytes),
            cache=cache,
        )
        predicted = watched.predict(rows)
        assert predicted["total"].to_pylist() == [2 * row for row in range(10)]
        counts.append(watched.metrics.num_cached)
    assert counts == [0, 10, 0]


def test_an_abandoned_stream_leaves_no_thread() -> None:
    def source() -> Any:
        while True:
            yield batch_of([{"a": 1, "b": 1, "h": [1]}])

    before = threading.active_count()
    for num_taken in (0, 1, 5):
        stream = predictor(overlap=True, window_rows=4, batch_size=1, dedupe=False).stream(source())
        for _ in range(num_taken):
            next(stream)
        stream.close()
        assert threading.active_count() == before


def test_taken_metrics_add_up_to_all() -> None:
    watched = predictor(dedupe=False, batch_size=2)
    total = Metrics()
    for num_rows in (3, 0, 4):
        rows = [{"a": row, "b": 0, "h": [row]} for row in range(num_rows)]
        watched.predict(batch_of(rows))
        total += watched.take_metrics()
    assert (total.num_rows, total.num_predicted, total.num_batches) == (7, 7, 4)
    assert total.seconds["run"] > 0
    assert watched.metrics.num_rows == 0


def test_packed_columns_predict_the_same() -> None:
    rows = [{"a": 1, "b": None, "h": [1, 2]}, {"a": None, "b": 1, "h": []}]
    packed = Predictor(LocalModel(FunctionBackend(model)), Layout(SIGNATURE, frozenset(["x"])))
    assert packed.column_names == ("x[]", "h")
    batch = pa.RecordBatch.from_pydict(
        {"x[]": [[row["a"], row["b"]] for row in rows], "h": [row["h"] for row in rows]}
    )
    assert packed.predict(batch).to_pylist() == [expected(row) for row in rows]


def test_metrics_can_be_shared() -> None:
    metrics = Metrics()
    rows = batch_of([{"a": 1, "b": 1, "h": []}])
    for _ in range(2):
        Predictor(LocalModel(FunctionBackend(model)), SIGNATURE, metrics=metrics).predict(rows)
    assert metrics.num_rows == 2


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, r, m: [x.sum(1)], r"returned 1 output\(s\), the signature promises 3"),
        (lambda x, r, m: [x.sum(1)[:1], r, x], r"output 'total': .*shape \(1,\)"),
        (lambda x, r, m: [x.sum(1), r[:, 1:], x], r"output 'doubled': .*\(2, 1\).*\(2, 2\)"),
        (lambda x, r, m: [x.sum(1), r, x * 0.5], "output 'pair': the model returned float64"),
        (lambda x, r, m: [1.0, r, x], r"output 'total': the model returned shape \(\)"),
    ],
)
def test_a_wrong_model_is_named(function: Any, message: str) -> None:
    rows = [{"a": 1, "b": 1, "h": [1]}, {"a": 1, "b": 1, "h": [1, 2]}]
    with pytest.raises(PredictionError, match=message):
        predictor(function).predict(batch_of(rows))
    with pytest.raises(PredictionError, match=message):
        list(predictor(function).stream([batch_of(rows)]))


def test_errors_of_this_project_pass_through() -> None:
    def refuse(*tensors: Any) -> Any:
        raise ConfigError("not on this machine")

    with pytest.raises(ConfigError, match="not on this machine"):
        predictor(refuse).predict(batch_of([{"a": 1, "b": 1, "h": []}]))


def test_columns_that_do_not_fit_are_named() -> None:
    with pytest.raises(SignatureError, match=r"column 'h' is missing"):
        predictor().predict(batch_of([]).drop_columns(["h"]))


def test_a_record_batch_of_a_stream_is_read_as_one_alone() -> None:
    signature = Signature(
        inputs=[
            ScalarInput("x", columns=[Column("a", nulls=7.0)]),
            RaggedInput("r", column="h", nulls="empty"),
        ],
        outputs=[Output("y")],
    )
    summing = LocalModel(FunctionBackend(lambda x, r, r_mask: x[:, 0] + (r * r_mask).sum(1)))
    floats, ints = pa.array([1.0, 2.0]), pa.array([1, 2], pa.int32())
    lists = pa.array([[1.0], [2.0, 3.0]])
    good = [
        {"a": floats, "h": lists},
        {"a": ints, "h": lists.cast(pa.list_(pa.int64()))},
        {"a": floats, "h": lists.cast(pa.large_list(pa.float32()))},
        {"h": lists, "a": pa.nulls(2)},
    ]
    given = [pa.RecordBatch.from_pydict(columns) for columns in good]
    alone = [Predictor(summing, signature).predict(rows) for rows in given]
    assert list(Predictor(summing, signature).stream(given)) == alone
    for missing in ({"a": floats}, {"h": lists}, {"A": floats, "h": lists}):
        bad = pa.RecordBatch.from_pydict(missing)
        for order in ([*given, bad], [bad, *given], [given[0], bad, given[0]]):
            with pytest.raises(SignatureError, match="is missing"):
                list(Predictor(summing, signature).stream(order))
