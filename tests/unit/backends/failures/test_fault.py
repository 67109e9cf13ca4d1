from __future__ import annotations

import pytest
import torch

from spark_infer.backends import is_device_fault
from spark_infer.backends.failures.fault import raised_at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUDA error: device-side assert triggered\nCUDA kernel errors might be", True),
        ("CUDA error: an illegal memory access was encountered", True),
        ("CUDA out of memory. Tried to allocate 2 GiB", False),
        ("index out of range in self", False),
    ],
)
def test_what_ends_a_device_is_known_by_its_message(text: str, expected: bool) -> None:
    assert is_device_fault(RuntimeError(text)) is expected


def test_an_error_is_placed_in_the_users_code() -> None:
    with pytest.raises(IndexError) as caught:
        torch.nn.Embedding(1, 1)(torch.tensor([7]))
    assert raised_at(caught.value) == ", at test_fault.py:25"
    assert raised_at(ValueError("never raised")) == ""
