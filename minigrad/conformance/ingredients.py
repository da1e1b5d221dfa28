"""What many cases need: inputs with exact values, and the value of a call with its gradients."""

from collections.abc import Callable
from typing import Any


def ramp(torch: Any, *shape: int, dtype: Any = None) -> Any:
    """A tensor of that shape with values from -2.5 to 2.5 in mixed order, none twice below 41 elements, none 0."""
    count = 1
    for n in shape:
        count *= n
    values = [((17 * i + 5) % 41 - 20.5) / 8 for i in range(count)]
    return torch.tensor(values, dtype=dtype or torch.float32).reshape(shape)


def differentiated(call: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    """The value of call(*inputs), and the gradients by the floating inputs of a sum of all of it, differently weighted.

    Inputs that are no floating tensors are handed on as they are. Of several outputs those that carry a gradient count.
    """
    leaves = [x.detach().clone().requires_grad_() if _is_floating(x) else x for x in inputs]
    y = call(*leaves)
    outputs = [part for part in (y if isinstance(y, (tuple, list)) else [y]) if _is_floating(part)]
    loss = sum(_weighted(part) for part in outputs if part.requires_grad)
    loss.backward()
    return {"value": y, "gradients": [x.grad for x in leaves if _is_floating(x)]}


def _is_floating(x: Any) -> bool:
    return hasattr(x, "is_floating_point") and x.is_floating_point()


def _weighted(y: Any) -> Any:
    """The sum of the entries, times 1, 2, 1/2, 1, 2, 1/2, ..."""
    weights = [(1.0, 2.0, 0.5)[i % 3] for i in range(y.numel())]
    return (y * y.detach().new_tensor(weights).reshape(y.shape)).sum()
