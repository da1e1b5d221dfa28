"""Cases of the functions, types and values of torch itself."""

from minigrad.conformance.case import cases_of, error_of

case = cases_of("functions")


@case("cumsum", "tensor:cumsum")
def cumsum(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = torch.cumsum(x, 0)
    y.pow(2).sum().backward()
    half = torch.tensor([True, True]).cumsum(dim=0)
    return {"value": y, "gradient": x.grad, "of bools": half, "error": error_of(lambda: x.cumsum(5))}
