"""Cases of nn.init: what each draws under a seed, that it writes into the tensor it is given, and what it refuses."""

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import outcomes

case = cases_of("init")


def drawn(torch, name, *table, refused=()):
    """The tensors that calls of nn.init fill: a row is a shape, the arguments, the keyword arguments."""
    function, told = getattr(torch.nn.init, name), []
    for shape, args, options in table:
        torch.manual_seed(7)
        x = torch.empty(shape, requires_grad=True)
        y = function(x, *args, **options)
        told.append([x, y is x, x.requires_grad, torch.rand(1)])  # the next draw: as many were used
    errors = outcomes(*[lambda row=row: function(torch.empty(row[0]), *row[1], **row[2]) for row in refused])
    return {"told": told, "errors": errors + outcomes(lambda: function("x"))}


@case("normal_")
def normal(torch):
    return drawn(
        torch, "normal_", ((4, 5), (), {}), ((3, 3), (1.0, 0.02), {}), ((2,), (), {"std": 0.0}),
        refused=[((2,), (0.0, -1.0), {})],
    )  # fmt: skip


@case("uniform_")
def uniform(torch):
    return drawn(torch, "uniform_", ((3, 5), (), {}), ((2, 2), (-0.5, 2), {}), refused=[((2,), (1.0, 0.0), {})])


@case("constant_", "ones_", "zeros_")
def fills(torch):
    return [
        drawn(
            torch, "constant_", ((2, 2), (0.3,), {}), ((1,), (True,), {}), refused=[((2,), (), {}), ((2,), ("a",), {})]
        ),
        drawn(torch, "ones_", ((2, 2), (), {})),
        drawn(torch, "zeros_", ((2, 2), (), {})),
    ]


@case("xavier_uniform_", "xavier_normal_")
def xavier(torch):
    rows: list = [((4, 5), (), {}), ((2, 3, 4), (), {"gain": 1.5}), ((2, 0), (), {})]
    refused = [((3,), (), {}), ((2, 2), (), {"mode": "fan_in"})]
    return [drawn(torch, name, *rows, refused=refused) for name in ("xavier_uniform_", "xavier_normal_")]


@case("kaiming_uniform_", "kaiming_normal_")
def kaiming(torch):
    rows: list = [
        ((4, 5), (), {}),
        ((4, 5), (), {"a": 5**0.5}),
        ((2, 3, 4), (), {"mode": "fan_out", "nonlinearity": "relu"}),
        ((3, 4), (), {"nonlinearity": "tanh"}),
    ]
    refused = [((3,), (), {}), ((2, 2), (), {"mode": "fan"}), ((2, 2), (), {"nonlinearity": "no"})]
    return [drawn(torch, name, *rows, refused=refused) for name in ("kaiming_uniform_", "kaiming_normal_")]


@case("orthogonal_", float32=1e-4)  # a QR decomposition in float32
def orthogonal(torch):
    told = drawn(
        torch, "orthogonal_", ((4, 3), (), {}), ((2, 4), (2.0,), {}), ((3, 2, 2), (), {}), refused=[((3,), (), {})]
    )
    x = torch.nn.init.orthogonal_(torch.empty(3, 3))
    return [told, (x @ x.t()).round(decimals=3).abs()]


@case("calculate_gain")
def gains(torch):
    gain = torch.nn.init.calculate_gain
    names = ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
    return {
        "told": {name: gain(name) for name in names}
        | {"slope": gain("leaky_relu", 0.3), "zero": gain("leaky_relu", 0)},
        "errors": outcomes(lambda: gain("no"), lambda: gain("leaky_relu", "a"), lambda: gain("leaky_relu", True)),
    }


@case("constant", "normal", "kaiming_normal")
def old_names(torch):
    init, told = torch.nn.init, []
    for call in (lambda x: init.constant(x, 0.5), lambda x: init.normal(x, 0, 2), init.kaiming_normal):
        torch.manual_seed(0)
        x = torch.empty(3, 6)
        told.append([call(x) is x, x])
    return told
