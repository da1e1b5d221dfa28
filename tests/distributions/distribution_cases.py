"""What the tests of distributions try, written for any library with PyTorch's names."""

import functools
import math
from typing import Any

# what it is called: class, parameters (lists become float64 leaves), dtype
MADE: dict[str, tuple[str, dict[str, Any]]] = {
    "normal": ("Normal", {"loc": [0.5, -1.0, 2.0], "scale": [1.0, 0.3, 2.5]}),
    "normal of numbers": ("Normal", {"loc": 1.0, "scale": 2.0}),
    "normal, broadcast": ("Normal", {"loc": [[0.5], [1.5]], "scale": [1.0, 0.3]}),
    "uniform": ("Uniform", {"low": [0.0, -2.0], "high": [1.0, 3.0]}),
    "uniform of numbers": ("Uniform", {"low": -1.0, "high": 1.0}),
    "bernoulli": ("Bernoulli", {"probs": [0.1, 0.5, 0.8]}),
    "bernoulli of logits": ("Bernoulli", {"logits": [[-1.0, 0.4, 3.0]]}),
    "bernoulli of a number": ("Bernoulli", {"probs": 0.3}),
    "categorical": ("Categorical", {"probs": [1.0, 3.0, 0.5, 2.0]}),
    "categorical, batch": ("Categorical", {"probs": [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]}),
    "categorical of logits": ("Categorical", {"logits": [[0.3, -1.0, 2.0], [1.0, 0.0, 0.5]]}),
    "multinomial": ("Multinomial", {"total_count": 5, "probs": [0.2, 0.3, 0.5]}),
    "multinomial of logits": ("Multinomial", {"total_count": 3, "logits": [[0.3, -1.0], [1.0, 0.5]]}),
}
L = [[1.0, 0.0], [0.5, 2.0]]
MADE |= {
    "multivariate normal": ("MultivariateNormal", {"loc": [0.5, -1.0], "covariance_matrix": [[2.0, 0.6], [0.6, 1.0]]}),
    "multivariate normal of a triangle": ("MultivariateNormal", {"loc": [[0.5, 1.0], [2.0, 0.0]], "scale_tril": L}),
    "multivariate normal of precision": (
        "MultivariateNormal",
        {"loc": [0.5, -1.0], "precision_matrix": [[2.0, 0.6], [0.6, 1.0]]},
    ),
    "independent": ("Independent", {"of": "normal, broadcast", "reinterpreted_batch_ndims": 1}),
    "independent, all": ("Independent", {"of": "normal, broadcast", "reinterpreted_batch_ndims": 2}),
    "independent, none": ("Independent", {"of": "normal", "reinterpreted_batch_ndims": 0}),
    "mixture": ("MixtureSameFamily", {"weights": "categorical, three", "of": "normal"}),
    "mixture of vectors": ("MixtureSameFamily", {"weights": "categorical, two", "of": "independent"}),
    "categorical, three": ("Categorical", {"probs": [1.0, 3.0, 0.5]}),
    "categorical, two": ("Categorical", {"logits": [0.3, -0.4]}),
}
SHAPES: list[tuple[int, ...]] = [(), (4,), (9, 2)]


def made(lib: Any, name: str, dtype: Any) -> tuple[Any, list[Any]]:
    """(the distribution, its parameters as leaves)."""
    kind, given = MADE[name]
    if "of" in given:  # a distribution of distributions
        parts = [made(lib, given[key], dtype) for key in ("weights", "of") if key in given]
        dims = [value for value in given.values() if isinstance(value, int)]
        leaves = [leaf for _, of_part in parts for leaf in of_part]
        return getattr(lib.distributions, kind)(*[part for part, _ in parts], *dims), leaves
    options = {
        key: lib.tensor(value, dtype=dtype, requires_grad=True) if isinstance(value, list) else value
        for key, value in given.items()
    }
    leaves = [value for value in options.values() if hasattr(value, "requires_grad")]
    return getattr(lib.distributions, kind)(**options), leaves


def listed(x: Any) -> Any:
    """Nested lists; nan and infinities as words, which JSON has."""
    if hasattr(x, "detach"):
        x = x.detach().tolist()
    if isinstance(x, list):
        return [listed(part) for part in x]
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def gradients(lib: Any, y: Any, leaves: list[Any]) -> Any:
    if not leaves or not y.requires_grad:
        return None
    weights = lib.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).reshape(y.shape)
    found = lib.autograd.grad((y * weights).sum(), leaves, allow_unused=True, retain_graph=True)
    return [None if g is None else listed(g) for g in found]


def scores(lib: Any, name: str) -> dict[str, Any]:
    """In float64: what a distribution says of itself, and of some values."""
    d, leaves = made(lib, name, lib.float64)
    lib.manual_seed(5)
    value = d.sample((3,)).to(lib.float64)
    found: dict[str, Any] = {"repr": repr(d), "shapes": [list(d.batch_shape), list(d.event_shape)]}
    for what in ("mean", "variance", "stddev", "mode"):
        try:
            found[what] = listed(getattr(d, what))
        except NotImplementedError:
            found[what] = None
    if MADE[name][0] == "Uniform":
        found.pop("mode")  # nan everywhere
    found["log_prob"] = [listed(y := d.log_prob(value)), gradients(lib, y, leaves)]
    if MADE[name][0] != "MixtureSameFamily":
        found["entropy"] = [listed(y := d.entropy()), gradients(lib, y, leaves)]
    if MADE[name][0] in ("Normal", "Uniform"):
        found["cdf"] = [listed(y := d.cdf(value)), gradients(lib, y, leaves)]
        y = d.rsample((2,))
        found["by rsample"] = gradients(lib, y, leaves)
    wide = d.expand((2, *d.batch_shape))
    found["expanded"] = [list(wide.batch_shape), list(wide.sample((2,)).shape), listed(wide.log_prob(value[:2]))]
    found["repr after"] = repr(d)
    return found


def samples(lib: Any, name: str) -> list[Any]:
    """In float32, one seed, one draw after another."""
    d, _ = made(lib, name, lib.float32)
    lib.manual_seed(11)
    found = [listed(d.sample(shape)) for shape in SHAPES]
    if d.has_rsample:
        found += [listed(d.rsample(shape)) for shape in SHAPES]
    return found


PAIRS: list[tuple[str, dict, dict]] = [
    ("Normal", {"loc": [0.5, -1.0], "scale": [1.0, 0.3]}, {"loc": [0.1, 0.2], "scale": [0.7, 2.0]}),
    ("Categorical", {"probs": [0.2, 0.8, 0.0]}, {"probs": [0.5, 0.3, 0.2]}),
    ("Categorical", {"logits": [0.2, 0.8, 0.0]}, {"probs": [0.5, 0.5, 0.0]}),
    ("Bernoulli", {"probs": [0.2, 0.8, 0.0]}, {"probs": [0.5, 0.3, 0.2]}),
    ("Uniform", {"low": [0.0, 0.0], "high": [1.0, 1.0]}, {"low": [-1.0, 0.5], "high": [2.0, 1.0]}),
]


def divergences(lib: Any) -> list[Any]:
    found = []
    tensor = functools.partial(lib.tensor, dtype=lib.float64)
    first, second = (
        lib.distributions.MultivariateNormal(tensor(loc), scale_tril=tensor(tril))
        for loc, tril in (([[0.5, -1.0], [0.0, 1.0]], L), ([0.0, 0.3], [[0.7, 0.0], [-0.4, 1.5]]))
    )
    found.append(listed(lib.distributions.kl_divergence(first, second)))
    normals = [lib.distributions.Normal(tensor([[0.5, -1.0]]), tensor([s])) for s in (1.0, 0.4)]
    found.append(listed(lib.distributions.kl_divergence(*[lib.distributions.Independent(n, 1) for n in normals])))
    for kind, first, second in PAIRS:
        make = getattr(lib.distributions, kind)
        p, q = (make(**{k: lib.tensor(v, dtype=lib.float64) for k, v in given.items()}) for given in (first, second))
        found.append(listed(lib.distributions.kl_divergence(p, q)))
    return found


def errors(lib: Any) -> dict[str, list[str]]:
    d, tensor = lib.distributions, lib.tensor
    calls = {
        "scale": lambda: d.Normal(tensor([0.0, 1.0]), tensor([1.0, -1.0])),
        "nan": lambda: d.Normal(tensor([math.nan]), 1.0),
        "order": lambda: d.Uniform(2.0, 1.0),
        "both": lambda: d.Categorical(tensor([0.5]), logits=tensor([0.5])),
        "neither": lambda: d.Bernoulli(),
        "no dims": lambda: d.Categorical(tensor(0.5)),
        "negative": lambda: d.Categorical(tensor([0.5, -0.5, 1.0])),
        "beyond one": lambda: d.Bernoulli(1.5),
        "class": lambda: d.Categorical(tensor([0.5, 0.5])).log_prob(tensor(2)),
        "value": lambda: d.Bernoulli(tensor([0.5])).log_prob(tensor([0.5])),
        "outside": lambda: d.Uniform(0.0, 1.0).log_prob(tensor(3.0)),
        "count": lambda: d.Multinomial(3, tensor([0.5, 0.5])).log_prob(tensor([3.0, 1.0])),
        "event": lambda: d.Multinomial(3, tensor([0.5, 0.5])).log_prob(tensor([1.0, 1.0, 1.0])),
        "shape": lambda: d.Normal(lib.zeros(3), 1.0).log_prob(lib.zeros(2)),
        "number": lambda: d.Normal(0.0, 1.0).log_prob(0.5),
        "type": lambda: d.Normal("0", 1.0),
        "total": lambda: d.Multinomial(tensor(3), tensor([0.5, 0.5])),
        "rsample": lambda: d.Categorical(tensor([0.5, 0.5])).rsample(),
        "covariance": lambda: d.MultivariateNormal(lib.zeros(2), lib.ones(2, 2)),
        "triangle": lambda: d.MultivariateNormal(lib.zeros(2), scale_tril=lib.ones(2, 2)),
        "no matrix": lambda: d.MultivariateNormal(lib.zeros(2)),
        "vector for a matrix": lambda: d.MultivariateNormal(lib.zeros(2), lib.ones(2)),
        "loc": lambda: d.MultivariateNormal(tensor(0.0), lib.eye(2)),
        "vector": lambda: d.MultivariateNormal(lib.zeros(2), lib.eye(2)).log_prob(lib.zeros(3)),
        "too many dims": lambda: d.Independent(d.Normal(lib.zeros(3), 1.0), 2),
        "components": lambda: d.MixtureSameFamily(d.Categorical(lib.ones(3)), d.Normal(lib.zeros(2), 1.0)),
        "weights": lambda: d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(lib.zeros(2), 1.0)),
        "kl of dims": lambda: d.kl_divergence(
            d.Independent(d.Normal(lib.zeros(3, 2), 1.0), 1), d.Independent(d.Normal(lib.zeros(3, 2), 1.0), 2)
        ),
        "kl": lambda: d.kl_divergence(d.Normal(0.0, 1.0), d.Bernoulli(0.5)),
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except (ValueError, NotImplementedError) as error:
            found[name] = [type(error).__name__, str(error)]
    return found
