from __future__ import annotations

import operator
from typing import Any

import pytest
import torch

from spark_infer.backends.torch.program.operators.admitted import (
    draws,
    find_operator,
    find_overload,
    operator_name,
)
from spark_infer.errors import BundleError


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("aten.linear.default", torch.ops.aten.linear.default),
        ("aten.add.Tensor", torch.ops.aten.add.Tensor),
        ("aten.__and__.Tensor", torch.ops.aten.__and__.Tensor),
        ("aten.gelu.default", torch.ops.aten.gelu.default),
        ("aten._softmax.default", torch.ops.aten._softmax.default),
        ("operator.floordiv", operator.floordiv),
        ("torch.sym_max", torch.sym_max),
        ("higher_order.cond", torch.ops.higher_order.cond),
    ],
)
def test_operators_that_a_model_needs(name: str, function: object) -> None:
    assert find_operator(name) is function
    assert operator_name(function) == name


@pytest.mark.parametrize(
    "name",
    [
        "aten.save.default",
        "aten.from_file.default",
        "aten.warn.default",
        "aten.format.default",
        "aten._print.default",
        "aten.set_.source_Storage",
        "aten.set_.source_Tensor",
        "aten.resize_.default",
        "aten.fbgemm_linear_int8_weight.default",
        "aten.quantized_lstm.input",
        "aten.record_stream.default",
        "aten.add.out",
        "aten.add_.Tensor",
        "aten.as_strided.default",
        "aten.as_strided_.default",
        "aten._reshape_alias.default",
        "aten.squeeze_.default",
        "aten.empty.memory_format",
        "aten.new_empty.default",
        "aten.unsafe_chunk.default",
        "aten.segment_reduce.default",
        "aten._stack.default",
        "aten.grid_sampler_2d.default",
        "aten.grid_sampler_3d.default",
        "aten.native_group_norm.default",
        "aten.histogram.bin_ct",
        "aten.histogramdd.int_bins",
        "aten.linalg_lstsq.default",
        "aten.range.step",
        "aten.embedding_bag.default",
        "aten.lstm.data",
        "aten.gru.data",
        "aten.rnn_relu.data",
        "aten.rnn_tanh.data",
        "aten.upsample_nearest1d.default",
        "aten.upsample_trilinear3d.default",
        "aten._upsample_bilinear2d_aa.default",
        "aten.batch_norm_update_stats.default",
        "aten.add",
        "aten.add.Tensor.default",
        "aten.__class__.mro",
        "aten.add.__class__",
        "aten.add.__call__",
        "aten.add.nowhere",
        "aten.nowhere.default",
        "aten.Aten.default",
        " aten.add.Tensor",
        "aten.add.Tensor\n",
        "prims.add.default",
        "quantized.linear.default",
        "spark.add.default",
        "os.system",
        "builtins.eval",
        "builtins.getattr",
        "operator.attrgetter",
        "operator.methodcaller",
        "operator.setitem",
        "torch.load",
        "higher_order.flex_attention",
        "",
    ],
)
def test_everything_else_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match=r"is not one that a program may call|has no operator"):
        find_operator(name)


def test_no_operator_takes_a_file_or_writes_to_what_it_is_given() -> None:
    for full_name in torch._C._dispatch_get_all_op_names():
        namespace, _, rest = full_name.partition("::")
        base, _, overload = rest.partition(".")
        if namespace != "aten":
            continue
        try:
            found = find_operator(f"aten.{base}.{overload or 'default'}")
        except BundleError:
            continue
        for argument in getattr(getattr(found, "_schema", None), "arguments", ()):
            assert not (argument.alias_info and argument.alias_info.is_write)
            assert "file" not in argument.name
            assert "Storage" not in str(argument.type)
            assert "torch.classes" not in str(argument.type)


@pytest.mark.parametrize("target", [eval, torch.load, "aten.add.Tensor", torch.ops.aten.save])
def test_a_traced_call_of_something_else_cannot_be_stored(target: object) -> None:
    with pytest.raises(BundleError, match="which a stored program cannot call"):
        operator_name(target)


@pytest.mark.parametrize(
    ("name", "arguments", "named", "expected"),
    [
        ("aten.dropout.default", [1, 0.5, False], {}, False),
        ("aten.dropout.default", [1, 0.5, True], {}, True),
        ("aten.dropout.default", [1, 0.5], {"train": True}, True),
        ("aten.dropout.default", [1, 0.5], {"train": {"node": "x"}}, True),
        ("aten.native_dropout.default", [1, 0.5, True], {}, True),
        ("aten.rrelu.default", [1], {}, False),
        ("aten.rrelu.default", [1], {"training": True}, True),
        ("aten.scaled_dot_product_attention.default", [1, 2, 3], {}, False),
        ("aten.scaled_dot_product_attention.default", [1, 2, 3, None, 0.1], {}, True),
        ("aten.scaled_dot_product_attention.default", [1, 2, 3], {"dropout_p": 0.1}, True),
        ("aten.lstm.input", [1, [], [], True, 1, 0.5, False, False, True], {}, False),
        ("aten.lstm.input", [1, [], [], True, 1, 0.5, True, False, True], {}, True),
        ("aten.rand.default", [[2]], {}, True),
        ("aten.bernoulli.p", [1, 0.5], {}, True),
        ("aten.multinomial.default", [1, 2], {}, True),
        ("aten.add.Tensor", [1, 2], {}, False),
        ("operator.add", [1, 2], {}, False),
    ],
)
def test_calls_that_draw(name: str, arguments: Any, named: Any, expected: bool) -> None:
    assert draws(find_overload(name), arguments, named) is expected
