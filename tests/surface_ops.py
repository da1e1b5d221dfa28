"""The 200 names of ops that users bring from PyTorch, and which of them the engine has by now."""

NAMES = """
    add sub mul div true_divide floor_divide remainder pow rsub neg abs exp log log1p log2 sqrt rsqrt square
    reciprocal sin cos tanh sigmoid erf sign floor ceil round clamp clamp_min maximum minimum lerp addcmul
    addcdiv eq ne lt le gt ge isclose isfinite isinf isnan logical_and logical_or logical_not where matmul mm
    bmm mv dot addmm baddbmm outer einsum tensordot sum mean prod var std var_mean amax amin max min argmax
    argmin all any logsumexp cumsum cumprod norm linalg.vector_norm topk sort argsort unique reshape view
    view_as permute transpose t T squeeze unsqueeze flatten unflatten expand expand_as broadcast_to repeat
    repeat_interleave tile cat stack hstack vstack chunk split split_with_sizes unbind narrow select flip roll
    movedim tril triu diag diagonal diag_embed meshgrid unfold contiguous clone __getitem__ gather scatter
    scatter_add index_select index_add index_put masked_fill masked_select take_along_dim nonzero arange
    linspace eye zeros ones full zeros_like ones_like full_like new_zeros softmax log_softmax nn.functional.relu
    nn.functional.leaky_relu nn.functional.elu nn.functional.gelu nn.functional.silu nn.functional.softplus
    nn.functional.hardtanh nn.functional.logsigmoid nn.functional.linear nn.functional.embedding
    nn.functional.one_hot nn.functional.normalize nn.functional.cosine_similarity nn.functional.conv1d
    nn.functional.conv2d nn.functional.conv_transpose2d nn.functional.max_pool1d nn.functional.max_pool2d
    nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.adaptive_avg_pool1d
    nn.functional.adaptive_avg_pool2d nn.functional.pad nn.functional.interpolate nn.functional.unfold
    nn.functional.batch_norm nn.functional.layer_norm nn.functional.group_norm nn.functional.instance_norm
    nn.functional.rms_norm nn.functional.scaled_dot_product_attention nn.functional.mse_loss
    nn.functional.l1_loss nn.functional.smooth_l1_loss nn.functional.huber_loss nn.functional.cross_entropy
    nn.functional.nll_loss nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits
    nn.functional.kl_div tan atan2 expm1 addmv inner linalg.norm linalg.inv linalg.det linalg.solve trace
    scatter_reduce nn.functional.relu6 nn.functional.selu nn.functional.glu nn.functional.prelu
    nn.functional.pixel_shuffle
""".split()  # noqa: SIM905

# Still to come: linalg.
LATER = """
linalg.vector_norm linalg.norm linalg.inv linalg.det linalg.solve
""".split()  # noqa: SIM905

PRESENT = [name for name in NAMES if name not in LATER]
