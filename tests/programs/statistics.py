"""Programs on histograms and statistics: values, edges, names of the parts, errors."""

from programs.common import error_of

X = [1.0, 2.0, 1.0, 4.0, 4.0]
W = [1.0, 2.0, 4.0, 8.0, 16.0]

CASES = {
    "histogram": lambda m: [list(m.histogram(m.tensor(X), bins)) for bins in (1, 3, 4, 7)],
    "histogram, range": lambda m: list(m.histogram(m.tensor(X), bins=4, range=(0.0, 3.0))),
    "histogram, weight": lambda m: list(m.histogram(m.tensor(X), bins=4, range=(0.0, 3.0), weight=m.tensor(W))),
    "histogram, density": lambda m: list(
        m.histogram(m.tensor(X), 4, range=(0.0, 3.0), weight=m.tensor(W), density=True)
    ),
    "histogram, edges": lambda m: list(m.tensor(X).histogram(m.tensor([0.0, 1.0, 1.0, 4.0]))),
    "histogram of one value": lambda m: list(m.histogram(m.ones(3), 4)),
    "histogram of nothing": lambda m: list(m.histogram(m.zeros(0), 4)),
    "histogram of nan": lambda m: m.histogram(m.tensor([float("nan"), 1.0]), m.tensor([0.0, 1.0, 2.0])).hist,
    "histogram in float64": lambda m: m.histogram(m.tensor(X).double().reshape(1, 5), 2).bin_edges,
    "histogram, text": lambda m: repr(m.histogram(m.tensor(X), 2)),
    "histogram, errors": lambda m: [
        error_of(lambda call=call: call(m.tensor(X)))
        for call in (
            lambda x: m.histogram(x, 0),
            lambda x: m.histogram(x, 4, range=(3.0, 1.0)),
            lambda x: m.histogram(x.long(), 4),
            lambda x: m.histogram(x, 4, weight=m.ones(4)),
            lambda x: m.histogram(x, 4, weight=m.ones(5).double()),
            lambda x: m.histogram(x / 0, 4),
            lambda x: m.histogram(x, m.ones(1)),
            lambda x: m.histogram(x, m.ones(2, 2)),
            lambda x: m.histogram(x, m.ones(2).double()),
        )
    ],
    "histc": lambda m: [
        m.histc(m.tensor(X), 4),
        m.histc(m.tensor(X), 4, 1, 3),
        m.histc(m.ones(3), 4),
        m.tensor(X).histc(),
    ],
}
