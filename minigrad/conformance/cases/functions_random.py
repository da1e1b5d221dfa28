"""Cases of random numbers: the streams of PyTorch's CPU generator."""

from minigrad.conformance.case import cases_of, error_of

case = cases_of("functions")


@case("manual_seed", "Generator")
def seeds(torch):
    first = torch.manual_seed(3)
    a = torch.rand(3)
    torch.manual_seed(3)
    own = torch.Generator().manual_seed(3)
    state = own.get_state()
    b = torch.rand(3, generator=own)
    own.set_state(state)
    return {
        "default": [a, torch.rand(3)],
        "own": [b, torch.rand(3, generator=own), torch.randperm(4, generator=own)],
        "apart": torch.rand(2),
        "returns": [isinstance(first, torch.Generator), own.initial_seed(), torch.initial_seed()],
        "device": [str(own.device), str(torch.Generator(device="cpu").device)],
        "negative": torch.manual_seed(-1).initial_seed(),
        "a string": error_of(lambda: torch.manual_seed("a")),
        "a device that is not": error_of(lambda: torch.Generator("gpu")),
    }


@case("rand")
def rand(torch):
    return {
        "sizes": torch.rand(2, 3),
        "one tuple": torch.rand((2,)),
        "float64": torch.rand(3, dtype=torch.float64),
        "keyword": torch.rand(size=(2, 1), requires_grad=True),
        "none": torch.rand(0),
        "after it": torch.rand(1),
        "ints": error_of(lambda: torch.rand(2, dtype=torch.int64)),
        "negative": error_of(lambda: torch.rand(-1)),
    }


@case("randn", "randn_like", "normal", float32=1e-5)  # float32 log and cos agree to rounding
def normals(torch):
    like = torch.ones(2, 2, dtype=torch.float64)
    return {
        "few": torch.randn(3),
        "many": torch.randn(4, 5),
        "float64": torch.randn((2,), dtype=torch.float64),
        "like": torch.randn_like(like),
        "like, cast": torch.randn_like(input=like, dtype=torch.float32),
        "normal": torch.normal(2.0, 0.5, (3,)),
        "means": torch.normal(torch.tensor([0.0, 10.0]), 0.1),
        "both": torch.normal(mean=torch.zeros(2), std=torch.tensor([1.0, 2.0])),
        "keyword": torch.randn(size=(1,), requires_grad=True),
        "after it": torch.randn(1),
        "ints": error_of(lambda: torch.randn(2, dtype=torch.int64)),
        "like ints": error_of(lambda: torch.randn_like(torch.tensor([1]))),
        "negative std": error_of(lambda: torch.normal(0.0, -1.0, (2,))),
        "negative stds": error_of(lambda: torch.normal(torch.zeros(1), torch.tensor([-1.0]))),
    }


@case("randint")
def randint(torch):
    return {
        "below": torch.randint(10, (5,)),
        "between": torch.randint(-3, 3, (2, 3)),
        "large": torch.randint(0, 2**40, (3,)),
        "keyword": torch.randint(low=0, high=4, size=(3,), dtype=torch.int32),
        "floats": torch.randint(2, (4,), dtype=torch.float32),
        "after it": torch.randint(100, ()),
        "empty range": error_of(lambda: torch.randint(3, 3, (2,))),
        "no size": error_of(lambda: torch.randint(3)),
        "a float": error_of(lambda: torch.randint(0, 2.5, (1,))),
    }


@case("randperm")
def randperm(torch):
    return {
        "ten": torch.randperm(10),
        "keyword": torch.randperm(n=3, dtype=torch.int32),
        "none": torch.randperm(0),
        "after it": torch.randperm(4),
        "negative": error_of(lambda: torch.randperm(-1)),
    }


@case("multinomial")
def multinomial(torch):
    weights = torch.tensor([[0.1, 0.2, 0.7], [5.0, 0.0, 5.0]])
    return {
        "one": torch.multinomial(weights, 1),
        "several": torch.multinomial(weights[0], 3),
        "with replacement": torch.multinomial(weights, num_samples=5, replacement=True),
        "own generator": torch.multinomial(weights, 1, generator=torch.Generator().manual_seed(1)),
        "keyword": torch.multinomial(input=weights, num_samples=2, replacement=False),
        "method": weights.multinomial(1),
        "too many": error_of(lambda: torch.multinomial(weights[0], 4)),
        "negative": error_of(lambda: torch.multinomial(torch.tensor([-1.0, 2.0]), 1)),
        "ints": error_of(lambda: torch.multinomial(torch.tensor([1, 2]), 1)),
        "all zero": error_of(lambda: torch.multinomial(torch.zeros(3), 1)),
        "none": error_of(lambda: torch.multinomial(weights, 0)),
    }


def _drawn_in_place(draw, wrong):
    """A method that fills: alone, on a large tensor, as float64, under no_grad on a leaf, in a graph."""

    def program(torch):
        x, leaf = torch.empty(3), torch.ones(2, requires_grad=True)
        with torch.no_grad():
            draw(leaf)
        half_graph = torch.ones(2, requires_grad=True)
        y = half_graph * 2
        draw(y)
        y.sum().backward()
        return {
            "the same object": draw(x) is x,
            "values": x,
            "many": draw(torch.empty(4, 5)),
            "float64": draw(torch.empty(2, dtype=torch.float64)),
            "leaf": leaf,
            "gradient": half_graph.grad,
            "turned": draw(torch.empty(2, 3).t()),
            "own generator": draw(x, generator=torch.Generator().manual_seed(1)),
            "leaf with gradient": error_of(lambda: draw(torch.ones(1, requires_grad=True))),
            "wrong": error_of(lambda: wrong(x)),
        }

    return program


def _named(name, program):
    program.__name__ = name
    return program


case("tensor:uniform_")(
    _named("uniform_", _drawn_in_place(lambda x, **o: x.uniform_(-1.0, to=2.0, **o), lambda x: x.uniform_(2.0, 1.0)))
)
case("tensor:normal_", float32=1e-5)(
    _named("normal_", _drawn_in_place(lambda x, **o: x.normal_(1.0, std=0.5, **o), lambda x: x.normal_(0.0, -1.0)))
)
case("tensor:bernoulli_")(
    _named("bernoulli_", _drawn_in_place(lambda x, **o: x.bernoulli_(0.3, **o), lambda x: x.bernoulli_(1.5)))
)
