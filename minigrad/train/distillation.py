"""Knowledge distillation: a small model learns from the probabilities of a large one besides the labels."""

import math

from minigrad.nn import functional as F
from minigrad.tensor import Tensor


def distillation_loss(
    student: Tensor, teacher: Tensor, target: Tensor | None = None, *,
    temperature: float = 2.0, alpha: float = 0.5, ignore_index: int = -100,
) -> Tensor:  # fmt: skip
    """alpha T^2 KL(softmax(teacher / T) || softmax(student / T)) + (1 - alpha) cross_entropy(student, target), a mean.

    `student` and `teacher` are logits (N, C) or (N, C, d1, ...), `target` labels (N,) or (N, d1, ...) as in
    `cross_entropy`. Without a target the first term is all, whatever alpha. T softens both distributions, so that the
    small probabilities of wrong classes count; T^2 makes up for gradients that shrink by 1 / T^2. Places whose label is
    `ignore_index` count nothing. No gradient flows to the teacher. Raises ValueError for logits of two shapes or
    without classes, for a temperature that is not above 0, and an alpha outside [0, 1]. Source: Hinton et al. 2015,
    arXiv:1503.02531.
    """
    if student.shape != teacher.shape or student.ndim < 2:
        raise ValueError(
            f"student and teacher must be logits of one shape (N, classes, ...), got {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}: they need the same classes in the same order"
        )
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0, got {temperature!r}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha, the teacher's share of the loss, must be in [0, 1], got {alpha!r}")
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    log_q = F.log_softmax(student / temperature, dim=1)
    divergence = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1)  # (N, d1, ...)
    if target is None:
        return divergence.mean() * temperature**2
    labels = F.cross_entropy(student, target, ignore_index=ignore_index)
    soft = divergence[target != ignore_index].mean() * temperature**2
    return alpha * soft + (1 - alpha) * labels
