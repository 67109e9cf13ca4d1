"""Names of torch's operators that compute values from values, and do nothing else.

Written down, not derived: a new release of torch admits nothing by itself. Left out are operators
that write to their arguments, make tensors of memory that nobody has filled, reinterpret memory
(``as_strided``), take files, storage, addresses or packed weights, belong to training, or whose
kernels trust sizes that they were given (``segment_reduce``, ``ctc_loss``, ``native_batch_norm``,
``linalg_lstsq``, ``_stack``) or numbers (``histogramdd``, ``native_group_norm``, ``range``). To
admit one, see that its kernel checks what it is given, or check it in its place, and add its name.
"""

from __future__ import annotations

ATEN = frozenset(
    """
    abs absolute acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d add addbmm addcdiv addcmul addmm
    addmv addr adjoint affine_grid_generator alias all allclose alpha_dropout amax amin aminmax
    angle any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort
    argwhere asin asinh atan atan2 atanh atleast_1d atleast_2d atleast_3d avg_pool1d avg_pool2d
    avg_pool3d baddbmm bartlett_window batch_norm bernoulli bilinear binary_cross_entropy
    binary_cross_entropy_with_logits bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor blackman_window block_diag bmm broadcast_tensors broadcast_to
    bucketize cartesian_prod cat cdist ceil celu chain_matmul channel_shuffle cholesky
    cholesky_inverse cholesky_solve chunk clamp clamp_max clamp_min clip clone col2im column_stack
    combinations complex concat concatenate conj conj_physical constant_pad_nd contiguous conv1d
    conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution copy copysign
    corrcoef cos cosh cosine_similarity count_nonzero cov cross cummax cummin cumprod cumsum
    cumulative_trapezoid deg2rad det detach diag diag_embed diagflat diagonal diagonal_scatter diff
    digamma dist div divide dot dropout dsplit dstack einsum elu embedding embedding_bag eq erf erfc
    erfinv exp exp2 expand expand_as expm1 exponential eye feature_alpha_dropout feature_dropout
    fft_fft fft_fft2 fft_fftfreq fft_fftn fft_fftshift fft_hfft fft_hfft2 fft_hfftn fft_ifft
    fft_ifft2 fft_ifftn fft_ifftshift fft_ihfft fft_ihfft2 fft_ihfftn fft_irfft fft_irfft2
    fft_irfftn fft_rfft fft_rfft2 fft_rfftfreq fft_rfftn fill fix flatten flip fliplr flipud
    float_power floor floor_divide fmax fmin fmod frac frexp frobenius_norm full full_like gather
    gcd ge gelu ger glu gradient greater greater_equal grid_sampler group_norm gru gt hamming_window
    hann_window hardshrink hardsigmoid hardswish hardtanh heaviside hsplit hstack hypot i0
    igamma igammac im2col imag index index_add index_copy index_fill index_put index_reduce
    index_select inner instance_norm inverse isclose isfinite isin isinf isnan isneginf isposinf
    isreal istft item kaiser_window kron kthvalue layer_norm lcm ldexp le leaky_relu lerp less
    less_equal lgamma lift_fresh_copy linalg__powsum linalg_cholesky linalg_cholesky_ex linalg_cond
    linalg_cross linalg_det linalg_diagonal linalg_eig linalg_eigh linalg_eigvals linalg_eigvalsh
    linalg_inv linalg_inv_ex linalg_lu linalg_lu_factor linalg_lu_factor_ex linalg_lu_solve
    linalg_matmul linalg_matrix_exp linalg_matrix_norm linalg_matrix_power linalg_matrix_rank
    linalg_multi_dot linalg_norm linalg_pinv linalg_qr linalg_slogdet linalg_solve linalg_solve_ex
    linalg_solve_triangular linalg_svd linalg_svdvals linalg_tensorinv linalg_tensorsolve
    linalg_vander linalg_vecdot linalg_vector_norm linear linspace log log10 log1p log2 log_sigmoid
    log_softmax logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not logical_or
    logical_xor logit logspace logsumexp lstm lstm_cell lt mH mT masked_fill masked_scatter
    masked_select matmul matrix_H matrix_exp matrix_power max max_pool1d max_pool1d_with_indices
    max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices maximum mean median
    meshgrid min minimum mish mm mode moveaxis movedim mse_loss msort mul multinomial multiply mv
    mvlgamma nan_to_num nanmean nanmedian nanquantile nansum narrow native_dropout
    native_layer_norm ne neg negative new_full new_ones new_zeros nextafter nonzero norm
    norm_except_dim normal normal_functional not_equal nuclear_norm numpy_T one_hot ones ones_like
    outer pad pad_sequence pairwise_distance permute pinverse pixel_shuffle pixel_unshuffle poisson
    polar polygamma positive pow prelu prod qr quantile rad2deg rand rand_like randint randint_like
    randn randn_like randperm ravel real reciprocal reflection_pad1d reflection_pad2d
    reflection_pad3d relu relu6 remainder renorm repeat repeat_interleave replication_pad1d
    replication_pad2d replication_pad3d reshape reshape_as rms_norm rnn_relu rnn_relu_cell rnn_tanh
    rnn_tanh_cell roll rot90 round row_stack rrelu rsqrt rsub scalar_tensor
    scaled_dot_product_attention scatter scatter_add scatter_reduce searchsorted select
    select_scatter selu sgn sigmoid sign signbit silu sin sinc sinh slice slice_scatter slogdet
    softmax softplus softshrink sort special_digamma special_erf special_erfc special_erfcx
    special_erfinv special_exp2 special_expit special_expm1 special_gammainc special_gammaincc
    special_gammaln special_i0 special_i0e special_i1 special_i1e special_log1p special_log_ndtr
    special_log_softmax special_logit special_logsumexp special_multigammaln special_ndtr
    special_ndtri special_polygamma special_psi special_round special_sinc special_softmax
    special_xlog1py special_xlogy special_zeta split split_with_sizes sqrt square squeeze stack std
    std_mean stft sub subtract sum svd swapaxes swapdims sym_constrain_range
    sym_constrain_range_for_size sym_numel sym_size sym_storage_offset t take take_along_dim tan
    tanh tensor_split tensordot threshold tile to topk trace transpose trapezoid trapz
    triangular_solve tril tril_indices triu triu_indices true_divide trunc type_as unbind unflatten
    unfold uniform unique_consecutive unique_dim unique_dim_consecutive unsqueeze upsample_bicubic2d
    upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d
    upsample_trilinear3d vander var var_mean vdot view view_as view_as_complex view_as_real vsplit
    vstack where xlogy zero zeros zeros_like
    """.split()  # noqa: SIM905 - a list in quotes would be a page for each letter
)
"""Public ones, by name without overload."""

INTERNAL = frozenset(
    """
    __and__ __lshift__ __or__ __rshift__ __xor__ _adaptive_avg_pool2d _adaptive_avg_pool3d
    _assert_async _assert_scalar _assert_tensor_metadata _cdist_forward _conj _convolution
    _functional_assert_async _functional_assert_scalar _is_all_true _is_any_true
    _linalg_check_errors _linalg_det _linalg_eigh _linalg_slogdet _linalg_solve_ex _linalg_svd
    _local_scalar_dense _log_softmax _native_batch_norm_legit_no_training _neg_view _prelu_kernel
    _safe_softmax _shape_as_tensor _softmax _to_copy _unique2 _unsafe_view _upsample_bicubic2d_aa
    _upsample_bilinear2d_aa _weight_norm
    """.split()  # noqa: SIM905 - as above
)
"""Those with an underscore that torch.export writes."""

OVERLOADS: dict[str, str] = {
    "embedding_bag": "padding_idx",
    **dict.fromkeys(("gru", "lstm", "rnn_relu", "rnn_tanh"), "input"),
    **dict.fromkeys(("_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa"), "vec"),
    **dict.fromkeys(("upsample_bicubic2d", "upsample_bilinear2d", "upsample_linear1d"), "vec"),
    **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"), "vec"),
    "upsample_trilinear3d": "vec",
}
"""The one overload that torch.export writes, of those whose others take more on trust.

Others of ``upsample`` take sizes and scales that need not fit, those of recurrent layers a packed
sequence, that of ``embedding_bag`` what ``padding_idx`` takes.
"""
