"""`torch.backends`: switches of the libraries that PyTorch calls. They keep what is set and change nothing here, but
for `cuda.matmul.allow_tf32`, which is `set_float32_matmul_precision` under another name.

An unknown switch raises AttributeError, in reading and in setting, so that a misspelt one does not pass.
"""

from typing import Any

from minigrad import backend
from minigrad.kernels.cuda import cudnn_attention
from minigrad.onemachine import settings


class Switches:
    """A namespace with a fixed set of names."""

    def __init__(self, name: str, **values: Any):
        self.__dict__.update(values, _name=name)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"minigrad has no `{self.__dict__.get('_name', 'backends')}.{name}`")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__ or callable(self.__dict__[name]):
            raise AttributeError(f"minigrad has no switch `{self._name}.{name}`; it has {', '.join(self._switches())}")
        self.__dict__[name] = value

    def __dir__(self) -> list[str]:
        return [name for name in self.__dict__ if name != "_name"]

    def _switches(self) -> list[str]:
        return [name for name in dir(self) if not callable(self.__dict__[name])]

    def __repr__(self) -> str:
        return f"<{self._name}>"


class _Matmul(Switches):
    """`cuda.matmul`."""

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 products on the GPU may round their operands to TF32."""
        return settings.get_float32_matmul_precision() != "highest"

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "allow_tf32":
            settings.set_float32_matmul_precision("high" if value else "highest")
        else:
            super().__setattr__(name, value)


def _no() -> bool:
    return False


def _attention_switches() -> dict[str, Any]:
    """enable_*_sdp and *_sdp_enabled: which ways attention may be computed; kept, and only cudnn's has an effect."""
    chosen = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}
    names: dict[str, Any] = {}

    def choose(enabled: bool, kind: str) -> None:
        chosen[kind] = bool(enabled)
        cudnn_attention.enabled = chosen["cudnn"]

    for kind in chosen:
        names[f"enable_{kind}_sdp"] = lambda enabled, kind=kind: choose(enabled, kind)
        names[f"{kind}_sdp_enabled"] = lambda kind=kind: chosen[kind]
    return names


cudnn = Switches(
    "backends.cudnn", benchmark=False, deterministic=False, enabled=True, allow_tf32=True, benchmark_limit=10,
    is_available=_no, version=lambda: None,
)  # fmt: skip
cuda = Switches(
    "backends.cuda",
    matmul=_Matmul("backends.cuda.matmul", allow_tf32=False, allow_fp16_reduced_precision_reduction=True,
                   allow_bf16_reduced_precision_reduction=True),
    is_built=backend.is_cuda_available, **_attention_switches(),
)  # fmt: skip
mps = Switches("backends.mps", is_available=_no, is_built=_no)
mkl = Switches("backends.mkl", is_available=_no)
mkldnn = Switches("backends.mkldnn", enabled=True, is_available=_no)
openmp = Switches("backends.openmp", is_available=_no)

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
