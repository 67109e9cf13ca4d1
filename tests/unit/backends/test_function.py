from __future__ import annotations

import numpy as np

from spark_infer.backends import Backend, FunctionBackend


def test_a_function_is_called_with_the_tensors_in_order() -> None:
    backend: Backend = FunctionBackend(lambda second, first: second - first)
    outputs = backend.run({"b": np.array([5.0]), "a": np.array([2.0])})
    assert [output.tolist() for output in outputs] == [[3.0]]


def test_several_outputs() -> None:
    for kind in (tuple, list):
        outputs = FunctionBackend(lambda x, kind=kind: kind([x, x + 1])).run({"x": np.zeros(1)})
        assert [output.tolist() for output in outputs] == [[0.0], [1.0]]


def test_the_next_batch_changes_no_output() -> None:
    kept = np.zeros(1)
    backend = FunctionBackend(lambda x: np.add(x, 1, out=kept))
    (first,) = backend.run({"x": np.array([1.0])})
    (second,) = backend.run({"x": np.array([5.0])})
    assert [first.tolist(), second.tolist()] == [[2.0], [6.0]]


def test_an_output_of_no_array_becomes_one() -> None:
    (output,) = FunctionBackend(lambda x: 1.5).run({"x": np.zeros(1)})
    assert output.shape == ()


def test_a_function_may_write_to_its_arrays() -> None:
    def double(x: np.ndarray) -> np.ndarray:
        x *= 2
        return x

    given = np.array([1.0, 2.0])
    for _ in range(2):
        (output,) = FunctionBackend(double).run({"x": given})
        assert output.tolist() == [2.0, 4.0]
    assert given.tolist() == [1.0, 2.0]
