"""nn.functional with bad input: the exception that PyTorch raises, and a message that says what was given."""

from typing import Any

import pytest

import minigrad as mg
from minigrad import ops
from minigrad.nn import functional as F

X, IDS = mg.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]), mg.tensor([1, 2])
Q, K = mg.zeros(1, 3, 4), mg.zeros(1, 5, 4)
ERRORS = [
    (lambda: F.cross_entropy(X, mg.tensor([1, 10])), IndexError,
     r"Target 10 is out of bounds\.\nlabels of 3 classes go from 0 to 2"),
    (lambda: F.cross_entropy(X, mg.tensor([1, -1])), IndexError, r"Target -1 is out of bounds"),
    (lambda: F.nll_loss(X, mg.tensor([3, -100])), IndexError, r"Target 3 is out of bounds"),
    (lambda: F.cross_entropy(X, mg.tensor([1])), ValueError,
     r"Expected input batch_size \(2\) to match target batch_size \(1\)"),
    (lambda: F.cross_entropy(X, IDS.int()), RuntimeError,
     "expected target dtype to be Long or Byte, but got torch.int32"),
    (lambda: F.cross_entropy(X, mg.tensor([1.0, 2.0])), RuntimeError, "expected target dtype to be Long or Byte"),
    (lambda: F.cross_entropy(X, X.long()), RuntimeError,
     "Expected floating point type for target with class probabilities"),
    (lambda: F.cross_entropy(X, IDS, weight=mg.ones(2)), RuntimeError, "either for all 3 classes or no classes"),
    (lambda: F.cross_entropy(X, IDS, label_smoothing=1.5), RuntimeError,
     "label_smoothing must be between 0.0 and 1.0. Got: 1.5"),
    (lambda: F.mse_loss(X, X, reduction="average"), ValueError,
     "average is not a valid value for reduction: none, mean, sum"),
    (lambda: F.binary_cross_entropy(X, X), RuntimeError, "all elements of input should be between 0 and 1"),
    (lambda: F.binary_cross_entropy(X, X[0]), ValueError, "Please ensure they have the same size"),
    (lambda: F.binary_cross_entropy_with_logits(X, X[0]), ValueError, "must be the same as input size"),
    (lambda: F.smooth_l1_loss(X, X, beta=-1.0), RuntimeError, "does not support negative values for beta"),
    (lambda: F.huber_loss(X, X, delta=0.0), RuntimeError, "does not support non-positive values for delta"),
    (lambda: F.gaussian_nll_loss(X, X, mg.full((2, 3), -1.0)), ValueError, "var has negative entry/entries"),
    (lambda: F.gaussian_nll_loss(X, X, mg.ones(7)), ValueError, r"var is of incorrect size: \(7,\)"),
    (lambda: F.triplet_margin_loss(X, X, X[0]), RuntimeError, "anchor 2D, positive 2D, and negative 1D"),
    (lambda: F.triplet_margin_with_distance_loss(X, X, X[0]), RuntimeError, "anchor 2D, positive 2D, and negative 1D"),
    (lambda: F.triplet_margin_with_distance_loss(X, X, X, margin=-1.0), ValueError, "margin must be greater than 0"),
    (lambda: mg.nn.TripletMarginWithDistanceLoss(margin=-1.0), ValueError, "greater than 0, got -1.0 instead"),
    (lambda: F.multi_margin_loss(X, IDS, p=3), ValueError, "only p == 1 and p == 2 supported"),
    (lambda: mg.nn.MultiMarginLoss(p=3), ValueError, "only p == 1 and p == 2 supported"),
    (lambda: mg.nn.MultiMarginLoss(weight=mg.ones(2, 2)), ValueError, "to be None or 1D tensor, got 2D"),
    (lambda: F.multi_margin_loss(X, mg.tensor([3, 0])), RuntimeError, "target out of range"),
    (lambda: F.multi_margin_loss(X, mg.tensor([1])), RuntimeError, r"Expected target size \[2\], but got \[1\]"),
    (lambda: F.multi_margin_loss(X, mg.ones(2)), RuntimeError, "target of dtype int64 but found torch.float32"),
    (lambda: F.multi_margin_loss(X, IDS, weight=mg.ones(2)), RuntimeError, r"inconsistent weight size, expected 3"),
    (lambda: F.multi_margin_loss(X[None], IDS), RuntimeError, "Expected non-empty vector or matrix"),
    (lambda: F.multi_margin_loss(X.long(), IDS), NotImplementedError, '"multi_margin_loss" not implemented for'),
    (lambda: F.multilabel_margin_loss(X, IDS), RuntimeError, r"inconsistent target size: \[2\] for input of size"),
    (lambda: F.multilabel_margin_loss(X, X), RuntimeError, "target of dtype int64 but found torch.float32"),
    (lambda: F.multilabel_margin_loss(X, X.long() + 7), RuntimeError, "argument #2 'target' is out of range"),
    (lambda: F.cosine_embedding_loss(X, X, X), RuntimeError,
     r"cosine_embedding_loss expects \(N, D\), \(N, D\), \(N,\)"),
    (lambda: F.embedding(mg.tensor([1, 9]), X), IndexError, r"index out of range in self\nid 9 in a table of 2 rows"),
    (lambda: F.embedding(mg.tensor([0, -1]), X), IndexError, r"id -1 in a table of 2 rows"),
    (lambda: F.embedding(X, X), RuntimeError,
     "to have one of the following scalar types: Long, Int; but got torch.float32"),
    (lambda: F.embedding(IDS, X, padding_idx=2), AssertionError, "Padding_idx must be within num_embeddings"),
    (lambda: F.one_hot(mg.tensor([3]), 2), RuntimeError, "Class values must be smaller than num_classes"),
    (lambda: F.one_hot(mg.tensor([-1])), RuntimeError, "Class values must be non-negative"),
    (lambda: F.one_hot(X), RuntimeError, "only applicable to index tensor of type LongTensor"),
    (lambda: F.linear(X, mg.ones(4, 2)), RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 2x4\)"),
    (lambda: F.linear(X, mg.ones(4, 3).double()), RuntimeError, "expected m1 and m2 to have the same dtype"),
    (lambda: F.linear(X, mg.ones(4, 3), mg.ones(3)), RuntimeError, r"expected a bias of shape \(4,\)"),
    (lambda: F.layer_norm(X, (4,)), RuntimeError, r"Given normalized_shape=\[4\], expected input with shape \[\*, 4\]"),
    (lambda: F.layer_norm(X, (3,), mg.ones(2)), RuntimeError,
     "Expected weight to be of same shape as normalized_shape"),
    (lambda: F.rms_norm(IDS, (2,)), NotImplementedError, "not implemented for torch.int64"),
    (lambda: F.softmax(IDS, 0), NotImplementedError, '"softmax" not implemented for torch.int64'),
    (lambda: F.softmax(X, 2), IndexError,
     r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 2\)"),
    (lambda: F.gelu(IDS), NotImplementedError, '"gelu" not implemented for torch.int64'),
    (lambda: F.gelu(X, approximate="fast"), RuntimeError, "approximate argument must be either none or tanh"),
    (lambda: F.glu(X), RuntimeError, "Halving dimension must be even, but dimension 1 is size 3"),
    (lambda: F.prelu(X, mg.ones(2)), RuntimeError, "parameter numbers = 2 and channel size = 3"),
    (lambda: F.dropout(X, 1.5), ValueError, "dropout probability has to be between 0 and 1, but got 1.5"),
    (lambda: F.dropout1d(X[0]), RuntimeError, "dropout1d: Expected 2D or 3D input, but received a 1D input"),
    (lambda: F.pad(X, (1, 2, 3)), RuntimeError, "Padding length must be divisible by 2"),
    (lambda: F.pad(X, (1, 1), mode="mirror"), NotImplementedError, "Unrecognised padding mode mirror"),
    (lambda: F.pad(X, (3, 1), mode="reflect"), RuntimeError,
     r"Padding size should be less .* padding \(3, 1\) at dimension 1"),
    (lambda: F.pad(X, (4, 1), mode="circular"), RuntimeError, "wrapping around more than once"),
    (lambda: F.pad(X, (-4, 0)), RuntimeError, "resulted in a negative output size at dim 1"),
    (lambda: F.scaled_dot_product_attention(Q, K[..., :2], K), RuntimeError,
     r"must agree in their last dim, got query \(1, 3, 4\)"),
    (lambda: F.scaled_dot_product_attention(Q, K, K[:, :2]), RuntimeError, "key and value must agree in dim -2"),
    (lambda: F.scaled_dot_product_attention(Q, K.double(), K), RuntimeError,
     "Expected query, key, and value to have the same dtype"),
    (lambda: F.scaled_dot_product_attention(Q, K, K, mg.ones(3, 5) > 0, is_causal=True), RuntimeError,
     "Explicit attn_mask should not be set when is_causal=True"),
    (lambda: F.scaled_dot_product_attention(Q, K, K, mg.ones(3, 5).long()), RuntimeError,
     "Expected attn_mask dtype to be bool"),
    (lambda: F.scaled_dot_product_attention(Q, K, K, dropout_p=2.0), RuntimeError, "dropout probability"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[f"{i} {e[2][:40]}" for i, e in enumerate(ERRORS)])
def test_bad_input_is_named(call: Any, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_labels_are_checked_before_a_kernel_reads_by_them() -> None:
    x = mg.zeros(2, 3, requires_grad=True)
    with pytest.raises(IndexError, match="Target 100000000 is out of bounds"):
        F.cross_entropy(x, mg.tensor([0, 100_000_000]))
    assert ops.cross_entropy(x, target=mg.tensor([0, 2]).array).shape == (2,)
