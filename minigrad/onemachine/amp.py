"""`torch.amp`: mixed precision. `autocast` opens a block in which products are computed in 16 bits (which ops, and how:
mixed_precision.py); `GradScaler` keeps small gradients of float16 from vanishing.
"""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

from minigrad import autograd, backend, dtype as dtypes, mixed_precision, ops
from minigrad.tensor import Tensor

_DTYPES = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}
_SHORT = (dtypes.bfloat16, dtypes.float16)


class autocast:
    """A block, or decorated function, in which ops on tensors of that device compute as in PyTorch's: products in
    `dtype` (bfloat16 on the CPU, float16 on GPUs), losses in float32, all else in what they are given.

    With "cuda" on a machine without a GPU it warns and is disabled, as PyTorch's; likewise with a dtype that is neither
    float16 nor bfloat16. RuntimeError for another device, TypeError for what is no dtype. On the CPU this is for the
    numbers, not for speed: processors compute in float32, and each product is rounded after.
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = backend.device(device_type).type
        if dtype is not None and not isinstance(dtype, dtypes.DType):
            raise TypeError(f"autocast: dtype must be a dtype such as minigrad.bfloat16, got {dtype!r}")
        self.fast_dtype = dtype or _DTYPES[self.device]
        if enabled and self.device == "cuda" and not backend.is_cuda_available():
            warnings.warn("CUDA is not available. Disabling autocast.", stacklevel=2)
            enabled = False
        if enabled and self.fast_dtype not in _SHORT:
            warnings.warn(
                f"In {self.device.upper()} autocast, but the target dtype is not supported. Disabling autocast. It "
                f"supports bfloat16 and float16, got {self.fast_dtype}",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled

    def __enter__(self) -> "autocast":
        mode = mixed_precision.mode
        mode.blocks = (*mode.blocks, (self.device, self.fast_dtype if self._enabled else None))
        return self

    def __exit__(self, *_: object) -> None:
        mixed_precision.mode.blocks = mixed_precision.mode.blocks[:-1]

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return call


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """True inside an enabled `autocast` block of that device."""
    return mixed_precision.fast_dtype(device_type) is not None


def is_autocast_available(device_type: str) -> bool:
    """True for devices that minigrad knows."""
    return backend.device(device_type).type in _DTYPES


def get_autocast_dtype(device_type: str) -> dtypes.DType:
    """The dtype of the block for that device; outside, what one without a dtype has: bfloat16, on GPUs float16."""
    kind = backend.device(device_type).type
    return mixed_precision.fast_dtype(kind) or _DTYPES[kind]


def _all_finite(tensors: list[Tensor]) -> bool:
    """Whether no entry is inf or nan. Their sums tell, all together, so that a GPU is waited for once and not once for
    each; sums of finite numbers may overflow, and then every entry is looked at.
    """
    by_device: dict[Any, list[Tensor]] = {}
    for x in tensors:
        by_device.setdefault(x.device, []).append(x.sum().to(dtypes.float32))
    if all(math.isfinite(ops.stack(sums).sum().item()) for sums in by_device.values()):
        return True
    return all(bool(x.isfinite().all()) for x in tensors)


class GradScaler:
    """Keeps small gradients of float16 from vanishing: the loss is multiplied by a scale before backward, the gradients
    divided by it before the step, and the scale follows what the number range allows.

    `step` leaves the optimizer out when a gradient is inf or nan; `update` then multiplies the scale by
    `backoff_factor`, or by `growth_factor` after `growth_interval` good steps in a row (Micikevicius et al., "Mixed
    Precision Training", 2018). For "cuda" without a GPU it warns and is disabled: `scale` gives the loss itself.
    Given to `graphs.captured` beside the optimizer it keeps the scale in device memory (device_scale.py).
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ):  # fmt: skip
        self._device = backend.device(device).type
        if enabled and self._device == "cuda" and not backend.is_cuda_available():
            warnings.warn("GradScaler is enabled, but CUDA is not available. Disabling.", stacklevel=2)
            enabled = False
        assert growth_factor > 1.0, "The growth factor must be > 1.0."
        assert backoff_factor < 1.0, "The backoff factor must be < 1.0."
        self._enabled = enabled
        self._scale, self._growth_factor, self._backoff_factor = float(init_scale), growth_factor, backoff_factor
        self._growth_interval, self._good_steps = growth_interval, 0
        self._unscaled: dict[int, bool] = {}  # id of an optimizer -> whether its gradients held inf or nan
        self._stepped: set[int] = set()
        self._on_device: Any = None  # a DeviceScale

    def make_capturable(self, like: Tensor) -> None:
        """Keep the scale on the device of a tensor from now on, for a step that is to be captured."""
        from minigrad.onemachine.device_scale import DeviceScale  # few programs capture a step

        if self._enabled and self._on_device is None:
            self._on_device = DeviceScale(like, self._scale, self._good_steps)

    def tensors(self) -> dict[str, Tensor]:
        """What a captured step changes in it."""
        there = self._on_device
        return {} if there is None else {"the loss scale": there.scale, "the count of good steps": there.good_steps}

    def scale(self, outputs: Any) -> Any:
        """The tensor, or each of a tuple or list, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * (self._scale if self._on_device is None else self._on_device.scale)
        if isinstance(outputs, (tuple, list)):
            return type(outputs)(self.scale(x) for x in outputs)
        raise ValueError(f"scale takes a Tensor or a tuple or list of them, got {type(outputs).__name__}")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the optimizer's gradients by the scale, once a step; to clip them before `step`."""
        if not self._enabled:
            return
        if id(optimizer) in self._unscaled:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if self._on_device is not None:
            self._unscaled[id(optimizer)] = False  # which is known on the device alone
            return self._on_device.unscale(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        with autograd.no_grad():
            for gradient in gradients:
                gradient.mul_(1.0 / self._scale)
            self._unscaled[id(optimizer)] = not _all_finite(gradients)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(...)` on unscaled gradients, unless one of them is inf or nan; what the step returns."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if id(optimizer) in self._stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._unscaled:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        if self._on_device is not None:
            return self._on_device.step(optimizer, *args, **kwargs)
        return None if self._unscaled[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | None = None) -> None:
        """After the steps: choose the next scale (or set `new_scale`)."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._set_scale(float(new_scale), self._good_steps)
        elif not self._unscaled:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif self._on_device is not None:
            self._on_device.update(self._growth_factor, self._backoff_factor, self._growth_interval)
        elif any(self._unscaled.values()):
            self._scale, self._good_steps = self._scale * self._backoff_factor, 0
        else:
            self._good_steps += 1
            if self._good_steps == self._growth_interval:
                self._scale, self._good_steps = self._scale * self._growth_factor, 0
        self._unscaled, self._stepped = {}, set()

    def _set_scale(self, scale: float, good_steps: int) -> None:
        self._scale, self._good_steps = scale, good_steps
        if self._on_device is not None:
            self._on_device.scale.array.fill(scale)
            self._on_device.good_steps.array.fill(good_steps)

    def _look(self) -> None:
        """Take over what the device knows."""
        if self._on_device is not None:
            self._scale, self._good_steps = self._on_device.scale.item(), self._on_device.good_steps.item()

    def get_scale(self) -> float:
        """The scale; 1 when disabled."""
        self._look()
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes; empty when disabled."""
        if not self._enabled:
            return {}
        self._look()
        return {
            "scale": self._scale, "growth_factor": self._growth_factor, "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval, "_growth_tracker": self._good_steps,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict()`. RuntimeError for one of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled GradScaler."
            )
        self._set_scale(state_dict["scale"], state_dict["_growth_tracker"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor, self._growth_interval = state_dict["backoff_factor"], state_dict["growth_interval"]
