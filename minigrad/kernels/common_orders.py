"""Orders and counts in plain array code, valid for NumPy and CuPy: places of entries, runs, histograms."""

from minigrad.backend import array_module


def running_places(x, axis, largest):
    """For each entry the place, along an axis, of the largest (smallest) so far: the last of equal ones, nan above all.

    By doubling: after the step of 1, 2, 4 ... every entry knows the best of itself and of twice as many before it.
    """
    xp = array_module(x)
    x = xp.moveaxis(x, axis, -1)
    n = x.shape[-1]
    places = xp.broadcast_to(xp.arange(n), x.shape).copy()
    best = x.copy()
    step = 1
    while step < n:
        earlier, later = best[..., :-step], best[..., step:]
        beaten = (earlier > later) if largest else (earlier < later)
        beaten = (beaten | xp.isnan(earlier)) & ~xp.isnan(later) if x.dtype.kind in "fV" else beaten
        new_best, new_places = best.copy(), places.copy()
        new_best[..., step:] = xp.where(beaten, earlier, later)
        new_places[..., step:] = xp.where(beaten, places[..., :-step], places[..., step:])
        best, places, step = new_best, new_places, 2 * step
    return xp.moveaxis(places, -1, axis)


def searchsorted(edges, x, right):
    """How many of the last axis of `edges`, in rising order, come before each x; with `right` the equal ones too."""
    xp = array_module(edges)
    if edges.ndim == 1:
        return xp.searchsorted(edges, x.reshape(-1), side="right" if right else "left").reshape(x.shape)
    edges, x = xp.expand_dims(edges, -2), xp.expand_dims(x, -1)
    before = (edges <= x) | (xp.isnan(x) & ~xp.isnan(edges)) if right else edges < x
    return before.sum(axis=-1)


def isin(x, test):
    return array_module(x).isin(x, test)


def runs(x, axis):
    """(the first slice of each run of equal slices, the run of each slice, the lengths) along an axis."""
    xp = array_module(x)
    n = x.shape[axis]
    rows = xp.moveaxis(x, axis, 0).reshape(n, x.size // max(n, 1))
    new = xp.ones(rows.shape[0], "bool")
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    starts = xp.flatnonzero(new)
    ends = xp.append(starts[1:], xp.full((1,), rows.shape[0])) if starts.size else starts
    return xp.take(x, starts, axis=axis), xp.cumsum(new.astype("int64")) - 1, ends - starts


def histogram_counts(x, edges, weights):
    """How many x, or how much weight, in each [edges_i, edges_i+1); the last bin is closed. Edges rise."""
    xp = array_module(x)
    inside = (x >= edges[0]) & (x <= edges[-1])
    x, weights = x[inside], None if weights is None else weights[inside]
    bins = edges.shape[0] - 1
    place = xp.minimum(xp.searchsorted(edges, x, side="right") - 1, bins - 1)
    return xp.bincount(place, weights, bins)
