"""The operators that a stored program may call, by name.

A bundle may come from anywhere, and ``torch.ops`` reaches further than arithmetic: ``aten.save``
writes a pickle, ``aten.from_file`` maps a file, ``aten.fbgemm_linear_int8_weight`` follows
addresses that stand in a tensor. So an operator is admitted by what its schema takes (tensors,
numbers, a few words), and by name where its name says that it is internal.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import torch
from torch._ops import HigherOrderOperator, OpOverload

from spark_infer.errors import BundleError

Operator = Callable[..., Any]

_ATEN = re.compile(r"aten\.(\w{1,100})\.([A-Za-z]\w{0,100})", re.ASCII)

_TYPES = re.compile(
    r"(Optional\[)?(List\[)?(Optional\[)?"
    r"(Tensor|int|float|bool|number|str|Device|Generator|complex)\]*"
)
"""What an operator may take. Not here: Storage and Stream, and classes of torch's own."""

_REFUSED = re.compile(
    r"from_file|set_|set|set_data|record_stream|resize\w*|data|retain_grad|rename\w*|requires_grad_"
    r"|(fbgemm|mkldnn|cudnn|miopen|mps|xnnpack|quantized|quantize|q|sparse|nested|fake_quantize"
    r"|fused_moving|to_mkldnn|to_sparse|to_padded|choose_qparams|int_repr|dequantize)(_\w*)?"
    r"|\w*_backward\w*"
)
"""Public names that touch files, storage or the inner layout of tensors, or belong to training."""

_INTERNAL = frozenset(
    re.findall(
        r"\w+",
        """
        __and__ __lshift__ __or__ __rshift__ __xor__ _adaptive_avg_pool2d
        _adaptive_avg_pool3d _addmm_activation _assert_async _assert_scalar
        _assert_tensor_metadata _cdist_forward _conj _convolution
        _convolution_mode _dim_arange _embedding_bag _embedding_bag_forward_only
        _euclidean_dist _functional_assert_async _functional_assert_scalar
        _fused_rms_norm _grouped_mm _is_all_true _is_any_true _linalg_check_errors
        _linalg_det _linalg_eigh _linalg_slogdet _linalg_solve_ex _linalg_svd
        _local_scalar_dense _log_softmax _lu_with_info
        _native_batch_norm_legit_no_training _native_multi_head_attention _neg_view
        _prelu_kernel _reshape_alias _safe_softmax _scaled_dot_product_attention_math
        _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention
        _scaled_dot_product_flash_attention _shape_as_tensor _softmax _stack
        _to_copy _transform_bias_rescale_qkv _transformer_encoder_layer_fwd
        _trilinear _unique2 _unsafe_view _upsample_bicubic2d_aa
        _upsample_bilinear2d_aa _weight_norm _weight_norm_interface
        """,
    )
)
"""Internal names that torch.export writes."""


def with_gradients(enabled: bool, body: Operator, *arguments: object) -> Any:
    """Run the body of a ``torch.no_grad()`` or ``torch.enable_grad()`` block."""
    with torch.set_grad_enabled(enabled):
        return body(*arguments)


def with_autocast(
    kind: str, dtype: torch.dtype, enabled: bool, cached: bool, body: Operator, *arguments: object
) -> Any:
    """Run the body of a ``torch.autocast()`` block."""
    with torch.autocast(kind, dtype, enabled, cached):
        return body(*arguments)


_BLOCKS: dict[str, Operator] = {
    "wrap_with_set_grad_enabled": with_gradients,
    "wrap_with_autocast": with_autocast,
}
"""What runs in the place of torch's own, which load its compiler first: seconds in each process."""

_OTHERS: dict[str, Operator] = {
    **{
        f"operator.{name}": getattr(operator, name)
        for name in (
            *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs"),
            *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_", "getitem"),
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
    "builtins.round": round,
    **{
        f"torch.{name}": getattr(torch, name)
        for name in (
            *("sym_float", "sym_int", "sym_max", "sym_min", "sym_not", "sym_ite", "sym_sum"),
            *("_sym_sqrt",),
        )
    },
    "higher_order.cond": torch.ops.higher_order.cond,
    **{f"higher_order.{block}": function for block, function in _BLOCKS.items()},
}
"""Arithmetic on sizes, and branches and blocks over graphs of the same kind."""

_NAME_OF: dict[object, str] = {
    **{function: name for name, function in _OTHERS.items()},
    **{getattr(torch.ops.higher_order, block): f"higher_order.{block}" for block in _BLOCKS},
}


def find_operator(name: str) -> Operator:
    """Return the operator of this name.

    Raises:
        BundleError: It is not admitted, or this torch does not have it.
    """
    if name in _OTHERS:
        return _OTHERS[name]
    match = _ATEN.fullmatch(name)
    if match is None or not _is_admitted(*match.groups()):
        raise BundleError(f"operator {name!r} is not one that a program may call")
    base, overload = match.groups()
    try:
        found = getattr(getattr(torch.ops.aten, base), overload)
    except AttributeError:
        raise BundleError(f"torch {torch.__version__} has no operator {name!r}") from None
    assert isinstance(found, OpOverload)
    return found


def operator_name(target: object) -> str:
    """Return the name under which a program's operator is stored.

    Raises:
        BundleError: It is not admitted.
    """
    name = _NAME_OF.get(target) if callable(target) else None
    if name is None and isinstance(target, OpOverload) and target.namespace == "aten":
        name = str(target)
    if name is None:
        what = str(target) if isinstance(target, OpOverload | HigherOrderOperator) else repr(target)
        raise BundleError(f"it calls {what}, which a stored program cannot call")
    find_operator(name)
    return name


def _is_admitted(base: str, overload: str) -> bool:
    if _REFUSED.fullmatch(base) or (base.startswith("_") and base not in _INTERNAL):
        return False
    full_name = (f"aten::{base}", "" if overload == "default" else overload)
    try:
        # Only what runs by dispatch: torch.ops also finds functions of the old TorchScript runtime.
        torch._C._dispatch_find_schema_or_throw(*full_name)
        schema = torch._C._get_schema(*full_name)
    except RuntimeError:
        return False
    return all(
        _TYPES.fullmatch(str(argument.type)) and not argument.is_out
        for argument in schema.arguments
    )
