"""`torch.onnx`: writing ONNX files, which minigrad cannot do yet."""

from typing import Any, NoReturn


def export(model: Any, args: Any = (), f: Any = None, **kwargs: Any) -> NoReturn:
    """NotImplementedError, whatever it is given."""
    raise NotImplementedError(
        "minigrad does not write ONNX files: save the weights with minigrad.save(model.state_dict(), file)"
    )
