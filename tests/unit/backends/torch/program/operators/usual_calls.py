"""Calls of operators with arguments that fit, to change a place of."""

from __future__ import annotations

from typing import Any


def tensor(*shape: int, dtype: str = "float32") -> dict[str, Any]:
    return {"node": "x", "shape": list(shape), "dtype": dtype}


def index(*shape: int) -> dict[str, Any]:
    return tensor(*shape, dtype="int64")


t, i = tensor, index
_RECURRENT = [True, 1, 0.0, False, False, True]
_IMAGE = t(2, 3, 6, 6)
_WINDOW = [[1, 1], [0, 0], [1, 1]]

USUAL: dict[str, list[Any]] = {
    "aten.lstm.input": [
        t(2, 5, 3), [t(1, 2, 4)] * 2, [t(16, 3), t(16, 4), t(16), t(16)], *_RECURRENT,
    ],
    "aten.gru.input": [t(2, 5, 3), t(1, 2, 4), [t(12, 3), t(12, 4), t(12), t(12)], *_RECURRENT],
    "aten.rnn_tanh.input": [t(2, 5, 3), t(1, 2, 4), [t(4, 3), t(4, 4), t(4), t(4)], *_RECURRENT],
    "aten.rnn_relu.input": [t(2, 5, 3), t(1, 2, 4), [t(4, 3), t(4, 4), t(4), t(4)], *_RECURRENT],
    "aten.lstm_cell.default": [t(2, 3), [t(2, 4)] * 2, t(16, 3), t(16, 4), t(16), t(16)],
    "aten.rnn_tanh_cell.default": [t(2, 3), t(2, 4), t(4, 3), t(4, 4), t(4), t(4)],
    "aten.scaled_dot_product_attention.default": [
        t(2, 2, 5, 4), t(2, 2, 6, 4), t(2, 2, 6, 4), None, 0.0, False,
    ],
    "aten.embedding_bag.padding_idx": [t(6, 3), i(7), i(3), False, 0, False, None, False, None],
    "aten.embedding.default": [t(6, 3), i(7), -1],
    "aten.grid_sampler.default": [_IMAGE, t(2, 4, 4, 2), 0, 0, False],
    "aten.binary_cross_entropy.default": [t(1, 3), t(1, 3), t(3), 0],
    "aten.binary_cross_entropy_with_logits.default": [t(2, 3), t(2, 3), t(3), t(3), 0],
    "aten.mse_loss.default": [t(2, 3), t(2, 3), 0],
    "aten.linalg_eigvals.default": [t(3, 3)],
    "aten.native_layer_norm.default": [t(2, 4, 3), [3], t(3), t(3), 1e-5],
    "aten.group_norm.default": [t(2, 4, 3), 2, t(4), t(4), 1e-5, True],
    "aten.batch_norm.default": [t(2, 4, 3), *[t(4)] * 4, False, 0.1, 1e-5, True],
    "aten.instance_norm.default": [t(2, 4, 3), *[t(4)] * 4, False, 0.1, 1e-5, True],
    "aten._native_batch_norm_legit_no_training.default": [t(2, 4, 3), *[t(4)] * 4, 0.1, 1e-5],
    "aten._weight_norm.default": [t(4, 3), t(4, 1), 0],
    "aten.convolution.default": [_IMAGE, t(4, 3, 2, 2), t(4), *_WINDOW, False, [0, 0], 1],
    "aten.conv_transpose2d.input": [_IMAGE, t(3, 4, 2, 2), t(4), [1, 1], [0, 0], [0, 0], 1, [1, 1]],
    "aten.conv1d.default": [t(2, 3, 6), t(4, 3, 2), t(4), [1], [0], [1], 1],
    "aten.conv3d.default": [t(2, 3, 4, 4, 4), t(4, 3, 2, 2, 2), t(4), [1] * 3, [0] * 3, [1] * 3, 1],
    "aten.max_pool1d.default": [t(2, 3, 6), [2], [2], [0], [1], False],
    "aten.max_pool2d_with_indices.default": [_IMAGE, [2, 2], [2, 2], [0, 0], [1, 1], False],
    "aten.max_pool3d_with_indices.default": [
        t(2, 3, 4, 4, 4), [2] * 3, [2] * 3, [0] * 3, [1] * 3, False,
    ],
    "aten.avg_pool2d.default": [_IMAGE, [2, 2], [2, 2], [0, 0], False, True, None],
    "aten.avg_pool3d.default": [t(2, 3, 4, 4, 4), [2] * 3, [2] * 3, [0] * 3, False, True, None],
    "aten.adaptive_max_pool2d.default": [_IMAGE, [2, 2]],
    "aten.im2col.default": [_IMAGE, [2, 2], [1, 1], [0, 0], [1, 1]],
    "aten.col2im.default": [t(2, 12, 25), [6, 6], [2, 2], [1, 1], [0, 0], [1, 1]],
    "aten.upsample_nearest2d.vec": [_IMAGE, [4, 9], None],
    "aten.upsample_bilinear2d.vec": [_IMAGE, None, False, [1.5, 2.5]],
    "aten._upsample_bicubic2d_aa.vec": [_IMAGE, [4, 9], False, None],
    "aten.pad.default": [_IMAGE, [1, 1, 2, 2], "reflect", None],
    "aten.reflection_pad2d.default": [_IMAGE, [1, 1, 2, 2]],
    "aten.replication_pad2d.default": [_IMAGE, [1, 1, 2, 2]],
    "aten.scatter.src": [t(4, 5), 1, i(4, 3), t(4, 5)],
    "aten.scatter_reduce.two": [t(4, 5), 1, i(4, 3), t(4, 5), "amax"],
    "aten.scatter_add.default": [t(4, 5), 0, i(3, 5), t(4, 5)],
    "aten.gather.default": [t(4, 5), 1, i(4, 3)],
    "aten.index_add.default": [t(4, 5), 0, i(3), t(3, 5)],
    "aten.index_reduce.default": [t(4, 5), 0, i(3), t(3, 5), "prod"],
    "aten.index_copy.default": [t(4, 5), 0, i(3), t(3, 5)],
    "aten.index_put.default": [t(4, 5), [i(3), i(3)], t(3), True],
    "aten.index.Tensor": [t(4, 5), [i(3), i(3)]],
    "aten.index_select.default": [t(4, 5), 0, i(3)],
    "aten.index_fill.int_Scalar": [t(4, 5), 0, i(3), 1.0],
    "aten.take.default": [t(4, 5), i(3)],
    "aten.put.default": [t(4, 5), i(3), t(3)],
    "aten.masked_scatter.default": [t(4, 5), t(4, 5, dtype="bool"), t(20)],
    "aten.repeat_interleave.Tensor": [i(4)],
    "aten.repeat_interleave.self_Tensor": [t(4, 3), i(4), 0],
    "aten.searchsorted.Tensor": [t(4, 5), t(4, 3)],
    "aten.bucketize.Tensor": [t(4, 5), t(6)],
    "aten.bincount.default": [i(6), t(6), 0],
    "aten.bilinear.default": [t(2, 3), t(2, 4), t(5, 3, 4), t(5)],
    "aten.cdist.default": [t(2, 5, 3), t(2, 4, 3), 2.0, 1],
    "aten.baddbmm.default": [t(2, 5, 4), t(2, 5, 3), t(2, 3, 4)],
    "aten.addmm.default": [t(5, 4), t(5, 3), t(3, 4)],
    "aten.addr.default": [t(5, 4), t(5), t(4)],
    "aten.linear.default": [t(2, 3), t(4, 3), t(4)],
    "aten.prelu.default": [_IMAGE, t(3)],
    "aten.linalg_lu_solve.default": [t(3, 3), t(3, dtype="int32"), t(3, 2)],
    "aten.linalg_solve_triangular.default": [t(3, 3), t(3, 2)],
    "aten.linalg_solve_ex.default": [t(3, 3), t(3, 2)],
    "aten.cholesky_solve.default": [t(3, 2), t(3, 3)],
    "aten.cross.default": [t(4, 3), t(4, 3), 1],
    "aten.stft.center": [t(2, 40), 8, 4, 8, t(8), True, "reflect", False, True, True],
    "aten.istft.default": [t(2, 5, 9, dtype="complex64"), 8, 4, 8, t(8)],
    "aten.fft_irfft.default": [t(2, 5, dtype="complex64"), 8, 1],
    "aten.affine_grid_generator.default": [t(2, 2, 3), [2, 3, 4, 4], False],
    "aten.unfold.default": [t(4, 9), 1, 3, 2],
    "aten.pixel_shuffle.default": [t(2, 4, 3, 3), 2],
    "aten.multinomial.default": [t(2, 6), 3, True],
}  # fmt: skip
"""Arguments by operator; a tensor is a node of which shape and type are known."""
