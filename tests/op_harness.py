"""How a case of the table is run: its inputs as tensors of a dtype and device, its outputs, its gradients."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from case import Case

from minigrad import autograd, backend
from minigrad.op import FusedOp, Op
from minigrad.tensor import Tensor, from_raw

# Central differences of step 1e-6 on numbers of size 1 are good to 1e-9: a rule off by a part in a thousand fails.
TOLERANCE: dict[str, Any] = {"eps": 1e-6, "atol": 1e-6, "rtol": 1e-5, "directions": 2}


def flat(result: Any) -> list[Any]:
    """The outputs of a call, of tuples in order."""
    return [y for part in result for y in flat(part)] if isinstance(result, (tuple, list)) else [result]


def drawn(case: Case, dtype: str = "float64") -> list[np.ndarray]:
    """The inputs, read-only, the floating ones in `dtype`."""
    arrays = [np.asarray(a.astype(dtype) if a.dtype.kind == "f" else a) for a in case.draw()]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def expected(case: Case, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the oracle says."""
    assert case.oracle is not None
    with np.errstate(all="ignore"):
        return [np.asarray(y) for y in flat(case.oracle(*arrays, **case.params))]


def tensors(case: Case, arrays: Sequence[np.ndarray], device: str = "cpu") -> list[Tensor]:
    """The inputs as leaves; floating ones require grad if the case has a gradient."""
    made = [from_raw(backend.to_device(array, device)) for array in arrays]
    return [x.requires_grad_(case.gradient and x.is_floating_point()) for x in made]


def call(case: Case, inputs: Sequence[Tensor], device: str = "cpu") -> list[Tensor]:
    """The outputs of the case; raw arrays among its parameters take the device and the floating dtype of the inputs."""
    floating = next((x.array.dtype for x in inputs if x.is_floating_point()), np.dtype("float64"))
    params = {name: _placed(value, device, floating) for name, value in case.params.items()}
    return flat(case.function(*inputs, **params))


def _placed(value: Any, device: str, floating: np.dtype) -> Any:
    if isinstance(value, np.ndarray):
        return backend.to_device(value.astype(floating) if value.dtype.kind == "f" else value, device)
    return type(value)(_placed(v, device, floating) for v in value) if type(value) in (tuple, list) else value


def run(case: Case, arrays: Sequence[np.ndarray], device: str = "cpu") -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Outputs, and the gradients of the floating inputs under a fixed random incoming gradient, both on the host."""
    inputs = tensors(case, arrays, device)
    outputs = call(case, inputs, device)
    rng = np.random.default_rng(1)
    incoming = [rng.uniform(0.5, 1.5, tuple(y.shape)) for y in outputs]
    pairs = zip(outputs, incoming, strict=True)
    live = [(y, u.astype(y.array.dtype)) for y, u in pairs if y.requires_grad]
    for _, u in live:
        u.flags.writeable = False
    if live:
        autograd.backward([y for y, _ in live], [from_raw(backend.to_device(u, device)) for _, u in live])
    gradients = [x.grad for x in inputs if x.grad is not None]
    assert all(y.device.type == device for y in (*outputs, *gradients))
    return [backend.to_host(y.array) for y in outputs], [backend.to_host(g.array) for g in gradients]


def assert_near(actual: Any, wanted: Any, tolerance: float) -> None:
    """Equal shapes; numbers within `tolerance` of the largest wanted one, nan and inf in the same places.

    Where all wanted numbers are below 0.01 they are what is left of larger ones (inputs and incoming gradients are of
    size 1), and so is their error: 0.01 counts as the largest then.
    """
    assert actual.shape == wanted.shape, f"shape {actual.shape}, expected {wanted.shape}"
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(actual, wanted)
        return
    finite = np.abs(wanted[np.isfinite(wanted)])
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=tolerance * float(finite.max(initial=0.01)))


def with_gaps(array: np.ndarray) -> np.ndarray:
    """The same values, read-only, with the axes in reverse order in memory and a gap after every entry."""
    buffer = np.zeros([2 * n for n in reversed(array.shape)], array.dtype)
    view = buffer.T[(..., *[slice(None, None, 2)] * array.ndim)]
    view[...] = array
    view.flags.writeable = False
    return view


@contextmanager
def frozen_walk() -> Iterator[None]:
    """Rules get read-only views of the incoming gradient and of all that was kept: writing into either raises."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Op, FusedOp):
            patch.setattr(kind, "vjp_on_arrays", _frozen(kind.vjp_on_arrays))
        scatter = autograd._scatter_into_parent
        patch.setattr(autograd, "_scatter_into_parent", lambda op, node, parents, dy, *rest: _with_frozen_kept(
            node, lambda: scatter(op, node, parents, _read_only(dy), *rest)))  # fmt: skip
        yield


def _frozen(vjp: Any) -> Any:
    return lambda self, node, parents, dy: _with_frozen_kept(node, lambda: vjp(self, node, parents, _read_only(dy)))


def _with_frozen_kept(node: Any, work: Any) -> Any:
    kept = node.kept
    node.kept = {name: _read_only(value) for name, value in kept.items()}
    try:
        return work()
    finally:
        node.kept = kept


def _read_only(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(_read_only(v) for v in value)
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value
