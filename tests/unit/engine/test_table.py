from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.bundle import Bundle
from spark_infer.engine.table import as_table
from spark_infer.errors import SignatureError, SparkInferError
from tests.unit.support.models import LINE_SIGNATURE, Line


def itself() -> list[object]:
    """Return a list that holds itself twice: 2**32 lists, when counted 32 levels deep."""
    rows: list[object] = []
    rows += [rows, rows]
    return rows


def nested(levels: int) -> list[object]:
    rows: list[object] = [1]
    for _ in range(levels - 1):
        rows = [rows]
    return rows


def objects(value: object) -> Any:
    """Return an array that holds a list; NumPy would look into it for numbers without end."""
    array = np.empty(1, object)
    array[0] = value
    return array


def objects_of(*values: object) -> Any:
    return np.array(values, object)


class Fails:
    def __iter__(self) -> Any:
        raise LookupError("out of luck")


@pytest.mark.parametrize(
    "rows",
    [
        {"a": [1.0, None]},
        {"a": pa.array([1.0, None])},
        pd.DataFrame({"a": [1.0, np.nan]}, index=[7, 9]),
        pa.table({"a": [1.0, None]}),
        pa.RecordBatch.from_pydict({"a": [1.0, None]}),
    ],
)
def test_rows_as_people_hold_them(rows: Any, tmp_path: Any) -> None:
    assert as_table(rows, where="rows").to_pydict() == {"a": [1.0, None]}
    bundle = si.save_bundle(tmp_path / "b", Line(), signature=LINE_SIGNATURE, sample=rows)
    predicted = si.Predictor(si.load_model(bundle.path), bundle).predict(rows)
    assert predicted["y"].to_pylist() == [2.0, None]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1.0], "rows must be a record batch, a table, a dict of columns or a pandas frame, got"),
        ("a", "got str"),
        (None, "got NoneType"),
        (np.zeros(3), "got ndarray"),
        ({"a": 1.0}, "rows cannot be read as columns"),
        ({"a": [1], "b": [1, 2]}, "rows cannot be read as columns"),
        ({"a": [1, "x"]}, "rows cannot be read as columns"),
        ({1: [1]}, "rows cannot be read as columns"),
        ({"a": [1, 2**63]}, "one list for each: an integer needs more than 64 bits"),
        ({"a": np.array([1, -(2**70)], object)}, "an integer needs more than 64 bits"),
        (pd.DataFrame({"a": [1, 2**70]}), "an integer needs more than 64 bits"),
        ({"a": [[2**63]]}, "an integer needs more than 64 bits"),
        ({"a": ["\ud800"]}, "surrogates not allowed"),
        ({"\ud800": [1]}, "surrogates not allowed"),
        (pd.DataFrame({"\ud800": [1]}), "surrogates not allowed"),
        ({"a": itself()}, "nested deeper than 32 levels, or holds itself"),
        ({"a": [{"b": itself()}]}, "nested deeper than 32 levels, or holds itself"),
        ({"a": [objects(itself())]}, "nested deeper than 32 levels"),
        (pd.DataFrame({"a": objects(itself())}), "nested deeper than 32 levels, or holds itself"),
        ({"a": nested(100_000)}, "nested deeper than 32 levels, or holds itself"),
        ({"a": Fails()}, "one list for each: out of luck"),
        ({"a": [timedelta.max]}, "one list for each: "),
        ({"a": "abc"}, "got a str for a column"),
        ({"a": {1, 2}}, "got a set for a column"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Duplicate column names"),
    ],
)
def test_what_are_no_rows(rows: Any, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        as_table(rows, where="rows")


def test_lists_of_lists_that_are_no_deeper_are_rows() -> None:
    shared = nested(30)
    rows = as_table({"a": [shared, shared], "b": [{"c": [1]}, None]}, where="rows")
    assert rows.to_pydict() == {"a": [shared, shared], "b": [{"c": [1]}, None]}


DAY = date(1970, 1, 3)
NOON = datetime(1970, 1, 3, 12)
BEFORE = datetime(1970, 1, 3, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "column",
    [
        [DAY, NOON],
        [DAY, None, NOON],
        [DAY, BEFORE],
        [DAY, pd.Timestamp(NOON)],
        [DAY, datetime(1970, 1, 3)],
        [NOON, DAY],
        objects_of(DAY, NOON),
        [[DAY], [NOON]],
        [[NOON], [DAY]],
        [None, [], [DAY, NOON]],
        [objects_of(DAY, NOON)],
        [{"b": DAY}, {"b": NOON}],
        [{"b": [{"c": DAY}]}, None, {"b": [{"c": NOON}]}],
    ],
    ids=repr,
)
def test_a_date_cuts_the_time_of_nothing(column: Any) -> None:
    message = "rows cannot be read as columns of values"
    for rows in ({"a": column}, {"a": iter(column)}, pd.DataFrame({"a": list(column)}, dtype="O")):
        with pytest.raises(SignatureError, match=message):
            as_table(rows, where="rows")


def test_a_time_beside_a_date_is_named() -> None:
    with pytest.raises(SignatureError, match=r"1970-01-03 12:00:00 stands beside a date.*all as d"):
        as_table({"a": [DAY, NOON]}, where="rows")
    with pytest.raises(SignatureError, match=r"NaT stands beside a date.*\(None for those that"):
        as_table({"a": [DAY, pd.NaT]}, where="rows")
    frame = pd.DataFrame({"a": [DAY, pd.NaT]}, dtype=object)
    assert as_table(frame, where="rows").to_pydict() == {"a": [DAY, None]}
    coded = pd.DataFrame({"a": pd.Categorical.from_codes([0, 1], objects_of(DAY, NOON))})
    with pytest.raises(SignatureError, match="stands beside a date"):
        as_table(coded, where="rows")


@pytest.mark.parametrize(
    "column",
    [
        [DAY, None],
        [NOON, None],
        [[DAY], None, []],
        [{"b": DAY, "c": NOON}, {"b": DAY}],
        [{"b": [DAY], "c": [NOON]}, None],
        pa.array([DAY, None]),
        np.array([DAY, DAY], "M8[D]"),
    ],
    ids=["days", "times", "lists", "structs", "structs of lists", "Arrow", "NumPy"],
)
def test_dates_and_times_of_their_own_are_kept(column: Any) -> None:
    expected = pa.array(column).to_pylist()
    assert as_table({"a": column}, where="rows").to_pydict() == {"a": expected}


MASKED = np.ma.masked_array([1.0, 2.0], [True, False])


@pytest.mark.parametrize(
    "column",
    [
        [MASKED],
        [None, (MASKED,)],
        [{"b": MASKED}],
        list(np.ma.masked_array([[1.0, 2.0]], [[True, False]])),
        objects(MASKED),
        [np.ma.masked],
    ],
    ids=repr,
)
def test_what_is_masked_in_a_list_is_not_taken(column: Any) -> None:
    for rows in ({"a": column}, pd.DataFrame({"a": list(column)}, dtype=object)):
        with pytest.raises(SignatureError, match="whose mask would be lost; give lists with None"):
            as_table(rows, where="rows")


def test_masked_columns_are_nulls_and_arrays_without_a_mask_are_lists() -> None:
    rows = {"a": MASKED, "b": [np.ma.masked_array([1.0, 2.0]), np.ma.masked_array([3.0], [False])]}
    found = as_table(rows, where="rows").to_pydict()
    assert found == {"a": [None, 2.0], "b": [[1.0, 2.0], [3.0]]}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_other_arguments_of_a_wrong_kind(tmp_path: Any, fraud: Bundle) -> None:
    import torch

    def save(model: Any, **options: Any) -> Any:
        return si.save_bundle(tmp_path / "b", model, signature=LINE_SIGNATURE, **options)

    model = si.load_model(fraud)
    for call, message in (
        (lambda: save("model.doc"), r"the model model\.doc must be a torch"),
        (lambda: save(Line), r"must be a torch\.nn\.Module.*, got type"),
        (lambda: save(Line().state_dict()), "the dict holds weights without the model"),
        (lambda: save(torch.jit.script(torch.nn.Linear(1, 1))), "the model is TorchScript"),
        (lambda: save(Line(), sample=[1]), "sample must be a record batch"),
        (
            lambda: si.Predictor(model, "path"),
            r"needs a bundle or a signature, got str",
        ),
        (
            lambda: si.Predictor(model, fraud, {"batch_size": 1}),
            "options must be BatchOptions",
        ),
        (lambda: si.BatchOptions(bucket_edges="123"), "bucket_edges must be a list"),
        (lambda: si.BatchOptions(bucket_edges=5), "bucket_edges must be a list"),
        (lambda: si.BatchOptions(device=0), "device must be 'cpu'"),
        (lambda: load_backend(tmp_path / "nowhere"), "no such directory"),
    ):
        with pytest.raises(SparkInferError, match=message):
            call()


@pytest.mark.parametrize("kind", ["dict", "frame"])
def test_a_buffer_that_is_filled_again_changes_no_row(kind: str) -> None:
    signature = si.Signature(
        inputs=[
            si.ScalarInput("x", columns=["a"], dtype="float64"),
            si.RaggedInput("r", column="h"),
        ],
        outputs=[si.Output("y", dtype="float64")],
    )
    model = si.LocalModel(si.FunctionBackend(lambda x, r, r_mask: x[:, 0]))
    buffer = np.zeros(2)

    def source() -> Iterator[Any]:
        for number in range(3):
            buffer[:] = number
            rows = {"a": buffer, "h": [[1.0], [2.0]]}
            yield rows if kind == "dict" else pd.DataFrame(rows, copy=False)

    found = [part["y"].to_pylist() for part in si.Predictor(model, signature).stream(source())]
    assert found == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
