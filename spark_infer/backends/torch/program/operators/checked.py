"""What runs in the place of operators that take on trust what they are given.

Each computes the same values as torch's own. Where that would read beside its tensors, or leave
memory of the result as it was found, it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from spark_infer.errors import PredictionError


def batch_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor,
    variance: torch.Tensor,
    _: float,
    epsilon: float,
) -> tuple[torch.Tensor, None, None]:
    """Normalize by stored statistics, whose sizes torch's own operator takes on trust."""
    return functional.batch_norm(x, mean, variance, weight, bias, eps=epsilon), None, None


def weight_norm(v: torch.Tensor, g: torch.Tensor, dim: int = 0) -> torch.Tensor:
    """Return a weight by direction and length; torch's own takes the size of ``g`` on trust."""
    return v * (g / torch.norm_except_dim(v, 2, dim))


def binary_cross_entropy(
    x: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None, reduction: int = 1
) -> Any:
    """Return the loss; torch's own leaves unfilled what a target of another size does not reach."""
    _require("binary_cross_entropy", x.shape == target.shape, "a target of the input's shape")
    return torch.ops.aten.binary_cross_entropy.default(x, target, weight, reduction)


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Return what queries attend to; torch's own takes on trust that each key has a value."""
    name = "scaled_dot_product_attention"
    _require(name, min(query.ndim, key.ndim, value.ndim) >= 2, "tensors of positions")
    _require(name, key.shape[-2] == value.shape[-2], "as many values as keys")
    _require(
        name,
        not enable_gqa or key.shape[:-2] == value.shape[:-2],
        "as many heads of values as of keys",
    )
    return torch.ops.aten.scaled_dot_product_attention.default(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


def embedding_bag(
    weight: torch.Tensor,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: torch.Tensor | None,
    include_last_offset: bool,
    padding_idx: int | None,
) -> Any:
    """Return sums of embeddings; torch's own checks only the first and the last bag's place."""
    shapes = (weight.ndim, indices.ndim, offsets.ndim)
    _require("embedding_bag", shapes == (2, 1, 1), "a table, and indices and offsets in a row each")
    whole = (torch.int32, torch.int64)
    _require(
        "embedding_bag",
        {indices.dtype, offsets.dtype} <= {*whole},
        "indices and offsets in whole numbers",
    )
    _require("embedding_bag", len(offsets) > int(include_last_offset), "a bag or more")
    # These two wait for no GPU.
    last = torch.cat([offsets[1:], offsets.new_full((1,), len(indices))])
    torch._assert_async(
        ((offsets >= 0) & (offsets <= last)).all(),
        "embedding_bag takes offsets in ascending order, from 0 to the number of indices",
    )
    torch._assert_async(
        ((indices >= 0) & (indices < len(weight))).all(),
        f"embedding_bag takes indices from 0 to {len(weight) - 1}",
    )
    return torch.ops.aten.embedding_bag.padding_idx(
        weight,
        indices,
        offsets,
        scale_grad_by_freq,
        mode,
        sparse,
        per_sample_weights,
        include_last_offset,
        padding_idx,
    )


def eigvals(x: torch.Tensor) -> Any:
    """Return eigenvalues; torch's own gives the library what is not finite, which it dies of."""
    torch._assert_async(torch.isfinite(x).all(), "linalg_eigvals takes finite numbers")
    return torch.ops.aten.linalg_eigvals.default(x)


def lstm(
    x: torch.Tensor,
    states: Sequence[torch.Tensor],
    weights: Sequence[torch.Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    """Run layers of LSTM; torch's own takes the sizes of weights and states on trust."""
    _require("lstm", len(states) == 2, "two states")
    _check_recurrent(
        "lstm", 4, x, states, weights, has_biases, num_layers, bidirectional, batch_first
    )
    return torch.ops.aten.lstm.input(
        x, states, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first
    )


def _with_one_state(name: str, gates: int) -> Callable[..., Any]:
    """Return ``gru``, ``rnn_tanh`` or ``rnn_relu`` with checks, as ``lstm``."""
    torchs_own = getattr(torch.ops.aten, name).input

    def run(
        x: torch.Tensor,
        state: torch.Tensor,
        weights: Sequence[torch.Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        _check_recurrent(
            name, gates, x, [state], weights, has_biases, num_layers, bidirectional, batch_first
        )
        return torchs_own(
            x, state, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first
        )

    run.__name__ = name
    return run


def _check_recurrent(
    name: str,
    gates: int,
    x: torch.Tensor,
    states: Sequence[torch.Tensor],
    weights: Sequence[torch.Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> None:
    """Raise PredictionError unless states and weights have the sizes that follow from each other.

    Args:
        name: Of the operator.
        gates: How many blocks of ``hidden`` rows a weight has.
        x: Of shape (batch, length, features), or (length, batch, features).
        states: Of shape (layers and directions, batch, out) and, of LSTM's cells, hidden.
        weights: For each layer and direction: on its input, on its state, two biases, projection.
        has_biases: Whether it has biases.
        num_layers: How many layers.
        bidirectional: Whether each layer has two directions.
        batch_first: Which shape ``x`` has.
    """
    _require(
        name,
        x.ndim == 3 and all(state.ndim == 3 for state in states),
        "an input and states of 3 dimensions",
    )
    directions = 2 if bidirectional else 1
    batch = x.shape[0 if batch_first else 1]
    out, hidden = states[0].shape[2], states[-1].shape[2]
    for state, size in zip(states, (out, hidden), strict=False):
        expected = (num_layers * directions, batch, size)
        _require(
            name, state.shape == expected, f"a state of shape {expected}, not {tuple(state.shape)}"
        )
    shapes = [
        shape
        for layer in range(num_layers)
        for _ in range(directions)
        for shape in _layer(
            gates, x.shape[2] if layer == 0 else out * directions, hidden, out, has_biases
        )
    ]
    found = [tuple(weight.shape) for weight in weights]
    _require(name, found == shapes, f"weights of the shapes {shapes}, not {found}")
    _require(name, len({weight.dtype for weight in weights}) == 1, "weights of one type")
    if not torch.is_autocast_enabled(x.device.type):
        types = {tensor.dtype for tensor in (x, *states, weights[0])}
        _require(name, len(types) == 1, "input, states and weights of one type")


def _layer(
    gates: int, size: int, hidden: int, out: int, has_biases: bool
) -> Iterator[tuple[int, ...]]:
    yield (gates * hidden, size)
    yield (gates * hidden, out)
    if has_biases:
        yield from [(gates * hidden,)] * 2
    if out != hidden:
        yield (out, hidden)


def _require(name: str, holds: bool, what: str) -> None:
    if not holds:
        raise PredictionError(f"the program calls {name!r}, which takes {what}")


CHECKED: dict[str, Callable[..., Any]] = {
    "aten._native_batch_norm_legit_no_training.default": batch_norm,
    "aten._weight_norm.default": weight_norm,
    "aten.binary_cross_entropy.default": binary_cross_entropy,
    "aten.embedding_bag.padding_idx": embedding_bag,
    "aten.gru.input": _with_one_state("gru", 3),
    "aten.linalg_eigvals.default": eigvals,
    "aten.lstm.input": lstm,
    "aten.rnn_relu.input": _with_one_state("rnn_relu", 1),
    "aten.rnn_tanh.input": _with_one_state("rnn_tanh", 1),
    "aten.scaled_dot_product_attention.default": attention,
}
"""By the operator's name."""
