"""Cases of printing: values, and the name of the step of the graph that made them."""

from minigrad.conformance.case import cases_of, error_of

case = cases_of("functions")


@case("set_printoptions")
def set_printoptions(torch):
    x = torch.tensor([[1 / 3, 1000.0], [2e-5, -1.0]])
    long = torch.arange(2000)
    printed = [str(x), repr(x[0]), str(long[:3] > 1), str(torch.tensor(2.5)), str(torch.ones(0)), str(long)]
    torch.set_printoptions(precision=2, sci_mode=False)
    printed.append(str(x))
    torch.set_printoptions(profile="short")
    printed.append(str(x))
    torch.set_printoptions(threshold=5, edgeitems=1, linewidth=40)
    printed += [str(long), str(torch.ones(4, 4, dtype=torch.float64))]
    torch.set_printoptions(sci_mode=True, profile="default")
    printed.append(str(x))
    torch.set_printoptions(profile="full")
    full = len(str(long))
    torch.set_printoptions(profile="default")
    return {
        "printed": printed,
        "full": full,
        "back": str(torch.arange(2000.0)),
        "formatted": [f"{x[0, 0]:.2f}", f"{torch.tensor(3):5d}", f"{x[0]}", f"{torch.tensor(0.5)}"],
        "a format for many": error_of(lambda: f"{x:.2f}"),
        "unknown option": error_of(lambda: torch.set_printoptions(digits=3)),
        "graphs": _printed_with_graphs(torch),
    }


def _printed_with_graphs(torch):
    """How results of the common functions are printed: with the name of the step of the graph that made them."""
    nn, F = torch.nn, torch.nn.functional
    x, labels = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), torch.tensor([0, 1])
    layer, without_bias = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
    for parameter in (*layer.parameters(), *without_bias.parameters()):
        nn.init.ones_(parameter)
    y = layer(x)
    results = [
        x, x + 1, x - x, x * 2, x / 2, x**2, x**x, 2**x, -x, x @ x, x @ x[0], x[0] @ x[0], torch.mm(x, x), x.square(),
        x[0], x[:, 1], x[0:1], x[:, 0:1], x[[0, 1]], x[x > 0], x[None], x[..., 0], x.view(-1), x.reshape(4), x.clone(),
        x.sum(), x.sum(0), x.mean(), x.mean(1), x.exp(), x.log(), x.relu(), x.tanh(), x.clamp(0, 1), x.norm(), x.var(),
        x.transpose(0, 1), x.unsqueeze(0), x.double(), x.expand(2, 2, 2), torch.cat([x, x]), torch.stack([x]),
        x.softmax(0), x.log_softmax(1), F.cross_entropy(x, labels), y, without_bias(x), F.relu(y), F.pad(x, (1, 1)),
        F.layer_norm(x, (2,)), F.embedding(labels, x), torch.where(x > 0, x, x), x.cumsum(0), nn.Parameter(x.detach()),
    ]  # fmt: skip
    return [str(result) for result in results]
