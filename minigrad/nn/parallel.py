"""`nn.parallel`: a model on several devices in PyTorch, the model itself on one machine here.

The wrappers keep PyTorch's structure, so that `model.module`, the "module." in front of names in state dicts, and
checkpoints of wrapped models work.
"""

from typing import Any

from minigrad.nn.module import Module


class DataParallel(Module):
    """Runs `module` on its own device: with one device, PyTorch's does the same.

    `device_ids` may name one device; ValueError for more.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0):
        super().__init__()
        _one_device(device_ids)
        self.module, self.device_ids, self.output_device, self.dim = module, list(device_ids or ()), output_device, dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """`module` in a world of one process, where the average of the gradients over processes is the gradient.

    Needs `distributed.init_process_group` first (ValueError). The arguments after `dim` say how PyTorch exchanges
    gradients and have no effect.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0,
        broadcast_buffers: bool = True, process_group: Any = None, bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False, check_reduction: bool = False, gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ):  # fmt: skip
        from minigrad.onemachine import distributed

        super().__init__()
        distributed.get_world_size()
        _one_device(device_ids)
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameters that require a "
                "gradient."
            )
        self.module, self.device_ids, self.output_device, self.dim = module, device_ids, output_device, dim
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)

    def no_sync(self) -> "_NoSync":
        """A block in which gradients are not exchanged; they never are here."""
        return _NoSync(self)


class _NoSync:
    def __init__(self, model: DistributedDataParallel):
        self.model = model

    def __enter__(self) -> None:
        self.former, self.model.require_backward_grad_sync = self.model.require_backward_grad_sync, False

    def __exit__(self, *_: object) -> None:
        self.model.require_backward_grad_sync = self.former


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """`module(*inputs, **module_kwargs)`; `inputs` is one tensor or a tuple of them. ValueError for several devices."""
    _one_device(device_ids)
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))


def scatter(inputs: Any, target_gpus: Any, dim: int = 0) -> tuple:
    """The inputs, for each of the devices: for one, a tuple of one, moved there."""
    from minigrad import backend
    from minigrad.tensor import Tensor

    _one_device(target_gpus)
    (target,) = target_gpus
    place = backend.device("cuda", target) if isinstance(target, int) else backend.device(target)

    def moved(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.to(place)
        if isinstance(x, dict):
            return {key: moved(value) for key, value in x.items()}
        return type(x)(moved(value) for value in x) if isinstance(x, (tuple, list)) else x

    return (moved(inputs),)


def _one_device(device_ids: Any) -> None:
    if device_ids is not None and len(device_ids) > 1:
        raise ValueError(f"minigrad runs a model on one device, got device_ids={list(device_ids)}: give one, or none")


__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel", "scatter"]
