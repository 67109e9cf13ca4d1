"""How far two models are apart, by hand-written predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyspark")

import spark_infer as si
from spark_infer.spark.challengers import Disagreement, comparable
from spark_infer.spark.tasks.tally import Tally

NUMBER, LABEL = {"v": "number"}, {"v": "label"}


def predicted(values: Any, reasons: Any = None, kind: Any = None) -> pa.RecordBatch:
    array = pa.array(values, kind)
    told = pa.array(reasons or [None] * len(array), pa.string())
    return pa.RecordBatch.from_arrays([array, told], names=["v", "rejected_reason"])


def compared(one: Any, other: Any, kind: Any = None, tolerance: float = 0.1) -> Disagreement:
    found = Disagreement()
    found.add(predicted(one, kind=kind), predicted(other, kind=kind), NUMBER, tolerance)
    return found


def output(found: Disagreement, compared: Any = NUMBER) -> dict[str, Any]:
    (told,) = found.to_json(compared)["outputs"]
    return dict(told)


def test_numbers() -> None:
    told = output(compared([1.0, 2.0, 3.0, 4.0], [1.0, 2.0625, 3.5, 4.5]))
    assert (told["different"], told["share"]) == (2, 0.5)
    assert (told["mean_difference"], told["max_difference"]) == (1.0625 / 4, 0.5)


def test_numbers_that_are_none_or_infinite() -> None:
    nan, inf = float("nan"), float("inf")
    found = compared([nan, inf, nan, inf, -inf, 1.0], [nan, inf, 1.0, -inf, 5.0, 1.5])
    told = output(found)
    assert (told["different"], told["mean_difference"], told["max_difference"]) == (4, 0.5 / 3, 0.5)


def test_whole_numbers_that_are_the_same_as_floats() -> None:
    told = output(compared([2**60, 5], [2**60 + 1, 5], pa.int64(), 0))
    assert (told["different"], told["max_difference"]) == (1, 1.0)


def test_labels() -> None:
    for one, other in (["a", "b", "b"], ["a", "b", "c"]), ([True, True, False], [True, True, True]):
        found = Disagreement()
        found.add(predicted(one), predicted(other), LABEL, 0)
        told = output(found, LABEL)
        assert (told["different"], told["mean_difference"]) == (1, None)


def test_rows_that_one_or_both_have_rejected() -> None:
    found = Disagreement()
    champion = predicted([1.0, 2.0, None, None], [None, None, "x", "y"])
    challenger = predicted([1.5, None, 3.0, None], [None, "why", None, "z"])
    found.add(champion, challenger, NUMBER, 0.1)
    told = found.to_json(NUMBER)
    assert [told[key] for key in ("rows", "compared", "failed", "problem")] == [4, 1, 0, "why"]
    assert [told[f"rejected_by_{who}"] for who in ("challenger", "champion", "both")] == [1, 1, 1]
    assert (told["outputs"][0]["share"], told["outputs"][0]["max_difference"]) == (1.0, 0.5)


def test_one_that_has_failed_is_counted_and_nothing_is_compared() -> None:
    found = Disagreement()
    found.add(predicted([1.0, None], [None, "x"]), None, NUMBER, 0.1)
    told = found.to_json(NUMBER)
    assert (told["failed"], told["rejected_by_challenger"], told["rejected_by_both"]) == (2, 1, 1)
    assert (told["outputs"][0]["share"], told["outputs"][0]["mean_difference"]) == (None, None)


@given(
    st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), max_size=30),
    st.integers(0, 30),
)
def test_parts_of_the_rows_add_up(pairs: list[tuple[float, float]], at: int) -> None:
    parts = [
        compared([one for one, _ in some], [other for _, other in some], pa.float32())
        for some in (pairs[:at], pairs[at:], pairs)
    ]
    summed, whole = (parts[0] + parts[1]).to_json(NUMBER), parts[2].to_json(NUMBER)
    one, other = summed.pop("outputs")[0], whole.pop("outputs")[0]
    assert summed == whole
    mean = one.pop("mean_difference"), other.pop("mean_difference")
    assert one == other
    assert mean[0] is mean[1] or np.isclose(*mean)


def test_what_can_be_compared() -> None:
    def signature(*outputs: si.Output) -> si.Signature:
        return si.Signature(
            inputs=[si.RaggedInput("w", column="w", dtype="float32")], outputs=list(outputs)
        )

    labels = ("a", "b")
    champion = signature(
        si.Output("number", dtype="int8"),
        si.Output("label", dtype="int64", labels=labels),
        si.Output("flag", dtype="bool"),
        si.Output("many", shape=(3,)),
        si.Output("long", lengths_of="w"),
        si.Output("mixed"),
        si.Output("own"),
    )
    challenger = signature(
        si.Output("mixed", dtype="int64", labels=labels),
        si.Output("flag", dtype="bool"),
        si.Output("label", dtype="int64", labels=("a", "c")),
        si.Output("many", shape=(3,)),
        si.Output("long", lengths_of="w"),
        si.Output("number", dtype="float64"),
    )
    found = comparable(champion, challenger)
    assert found == {"flag": "label", "label": "label", "number": "number"}


def test_a_task_that_is_repeated_counts_once() -> None:
    def counted(partition: int, attempt: int, rows: int) -> Tally:
        return Tally({partition: (attempt, {"next": Disagreement(rows=rows)})})

    tallies = [
        counted(0, 10, 5),
        counted(1, 11, 7),
        counted(0, 12, 6),  # In the place of attempt 10.
        counted(1, 9, 100),  # Late, and nobody waits for it.
        counted(2, 13, 1),
        counted(2, 13, 2),  # Two parts of the rows in one task.
    ]
    for order in (tallies, tallies[::-1]):
        total = Tally()
        for tally in order:
            total = total + tally
        assert total.total()["next"].rows == 6 + 7 + 3
    assert Tally().total() == {}
