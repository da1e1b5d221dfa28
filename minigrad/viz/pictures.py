"""Heat maps as pictures, alone or over the images they belong to."""

import os
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.tensor import Tensor


def canvas(inches: tuple[float, float], what: str) -> Any:
    """A figure apart from pyplot and its global state; ImportError that says what it was wanted for."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{what} needs matplotlib: pip install 'minigrad[viz]'") from error
    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_heat(heat: Tensor, path: str | os.PathLike, images: Tensor | None = None, columns: int = 8) -> None:
    """Draw heat maps (N, H, W), or gradients (N, C, H, W), of which the largest size over the channels is shown.

    With `images` (N, C, H, W), of 1 or 3 channels, each map is laid over its image; values of the images are stretched
    to what can be shown. The format is that of the name: PNG, SVG, PDF. ValueError for shapes that do not fit.
    """
    array = backend.to_host(heat.detach().array).astype(np.float64)
    if array.ndim == 4:
        array = np.abs(array).max(axis=1)
    if array.ndim != 3 or not len(array):
        raise ValueError(f"save_heat: expected maps (N, H, W) or gradients (N, C, H, W), got {tuple(heat.shape)}")
    shown = None if images is None else _shown(images, array.shape)
    rows = -(-len(array) // columns)
    columns = min(columns, len(array))
    figure = canvas((1.6 * columns, 1.6 * rows), "save_heat")
    for i, plot in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        plot.axis("off")
        if i >= len(array):
            continue
        if shown is not None:
            plot.imshow(shown[i], cmap="gray")
        plot.imshow(array[i], cmap="jet" if shown is not None else "inferno", alpha=0.45 if shown is not None else 1.0)
    figure.savefig(path, dpi=120)


def _shown(images: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """(N, H, W, 3) or (N, H, W) in [0, 1]."""
    array = backend.to_host(images.detach().array).astype(np.float64)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or (len(array), *array.shape[2:]) != shape:
        raise ValueError(f"save_heat: images have to be (N, 1 or 3, H, W) with the maps' {shape}, got {array.shape}")
    low, high = (f(array, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    array = (array - low) / np.maximum(high - low, 1e-12)
    return array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
