from __future__ import annotations

import gc
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.backends.torch.staging import Loan, Staging


class Maker:
    """Makes buffers and counts them."""

    def __init__(self) -> None:
        self.num_made = 0

    def __call__(self, dtype: torch.dtype, num_elements: int) -> torch.Tensor:
        self.num_made += 1
        return torch.empty(num_elements, dtype=dtype)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (5, 0, 2), (3, 4), (1024,), (1025,)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_a_loan_has_the_shape_and_type_asked_for(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    tensor = Staging(Maker()).borrow(shape, dtype).tensor
    assert tensor.shape == shape
    assert tensor.dtype == dtype
    assert tensor.is_contiguous()


def test_a_buffer_that_is_back_is_lent_again() -> None:
    make = Maker()
    staging = Staging(make)
    first = staging.borrow((60, 30), torch.float32)
    staging.give_back([first])
    again = staging.borrow((2048,), torch.float32)
    assert again.tensor.data_ptr() == first.tensor.data_ptr()
    assert make.num_made == 1


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2049,), torch.float32), ((1800,), torch.int64), ((9,), torch.float32)]
)
def test_other_sizes_and_types_have_other_buffers(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    make = Maker()
    staging = Staging(make)
    staging.give_back([staging.borrow((60, 30), torch.float32)])
    staging.borrow(shape, dtype)
    assert make.num_made == 2


def test_buffers_work_in_inference_mode_and_out_of_it() -> None:
    staging = Staging(Maker())
    with torch.inference_mode():
        loan = staging.borrow((2,), torch.float32)
        staging.give_back([loan])
        again = staging.borrow((2,), torch.float32)
        again.tensor.copy_(torch.ones(2))
    assert again.tensor.numpy().tolist() == [1, 1]
    assert again.buffer is loan.buffer


def test_cleared_buffers_are_freed_and_those_that_are_out_are_not() -> None:
    staging = Staging(Maker())
    back, out = (staging.borrow((2,), torch.float32) for _ in range(2))
    freed, kept = weakref.ref(back.buffer), weakref.ref(out.buffer)
    staging.give_back([back])
    del back
    staging.clear()
    gc.collect()
    assert freed() is None
    assert kept() is out.buffer


SHAPES = st.lists(st.integers(0, 60), max_size=2).map(tuple)


@given(st.lists(st.tuples(st.booleans(), SHAPES, st.integers(0, 9)), max_size=40))
def test_no_two_batches_hold_one_buffer(steps: list[tuple[bool, tuple[int, ...], int]]) -> None:
    make = Maker()
    staging = Staging(make)
    out: list[tuple[Loan, int]] = []
    most = 0
    for number, (take, shape, which) in enumerate(steps):
        if take or not out:
            loan = staging.borrow(shape, torch.int64)
            loan.buffer.fill_(number)
            out.append((loan, number))
        else:
            loan, number = out.pop(which % len(out))
            assert (loan.tensor == number).all()
            staging.give_back([loan])
        most = max(most, len(out))
    assert all((loan.buffer == number).all() for loan, number in out)
    # Sizes below 1,024 share a class, the largest shapes are in three more.
    assert make.num_made <= most * 3
