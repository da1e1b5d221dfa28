"""Cases of the methods and properties of tensors that are no functions."""

from minigrad.conformance.case import cases_of, error_of
from minigrad.conformance.exercises import differentiated, numbers

case = cases_of("tensor")


@case("item", "tolist")
def as_numbers(torch):
    return {
        "item": [torch.tensor(x).item() for x in (2.5, 3, True)] + [torch.tensor([[7]]).item()],
        "types": [type(torch.tensor(x).item()).__name__ for x in (2.5, 3, True)],
        "tolist": [torch.tensor([[1, 2], [3, 4]]).tolist(), torch.tensor(1.5).tolist(), torch.ones(0, 2).tolist()],
        "of bfloat16": torch.tensor([1.5], dtype=torch.bfloat16).tolist(),
        "of a leaf": torch.tensor([1.5], requires_grad=True).tolist(),
        "conversions": [float(torch.tensor(2)), int(torch.tensor([2.9])), bool(torch.tensor(0.0))],
        "of two": error_of(lambda: torch.ones(2).item()),
        "of none": error_of(lambda: torch.ones(0).item()),
        "truth of two": error_of(lambda: bool(torch.ones(2))),
    }


@case("dtype", "type", "type_as")
def types(torch):
    x = torch.tensor([1.7, -2.0])
    return {
        "dtype": [str(x.dtype), str(torch.tensor(1).dtype), x.dtype == torch.float32],
        "names": [x.type(), torch.tensor([1]).type(), torch.tensor([True]).type(), x.double().type()],
        "converted": [
            x.type(torch.int64),
            x.type("torch.DoubleTensor"),
            x.type(torch.LongTensor),
            x.type(dtype=torch.bool),
        ],
        "like": [x.type_as(torch.tensor([1])), torch.tensor([2]).type_as(x)],
        "itself": [x.type(torch.float32) is x, x.type_as(x) is x],
        "gradient": differentiated(torch, lambda x: x.type(torch.float64), x),
        "unknown": error_of(lambda: x.type("torch.Complicated")),
        "of a number": error_of(lambda: x.type_as(1.0)),
    }


_CASTS = ("float", "double", "long", "int", "short", "byte", "bool")


@case(*_CASTS)
def casts(torch):
    x = torch.tensor([0.0, 1.9, 200.5])
    told = {name: getattr(x, name)() for name in _CASTS}
    return told | {
        "itself": [x.float() is x, x.double() is x, torch.tensor(1).long() is torch.tensor(1)],
        "of ints": [torch.tensor([2, 0]).bool(), torch.tensor([300]).byte(), torch.tensor([70000]).short()],
        "gradient": differentiated(torch, lambda x: x.double(), x),
        "no gradient": x.requires_grad_().long().requires_grad,
        "an argument": error_of(lambda: x.float(1)),
    }


@case("view", "view_as")
def view(torch):
    x = numbers(torch, 2, 3, 2)
    shared = x.view(-1)
    shared[0] = 7.0
    return {
        **differentiated(torch, lambda x: x.view(6, 2), x),
        "inferred": differentiated(torch, lambda x: x.view(-1, 3), x),
        "shares memory": [x, shared.data_ptr() == x.data_ptr()],
        "a tuple": x.view((3, 4)).shape,
        "as": differentiated(torch, lambda x: x.view_as(torch.ones(4, 3)), x),
        "bytes": [torch.tensor([1.0]).view(torch.int32), torch.tensor([1]).view(dtype=torch.float64)],
        "turned": x.transpose(0, 1).view(3, 2, 2, 1).stride(),
        "not contiguous": error_of(lambda: x.transpose(0, 1).view(-1)),
        "wrong count": error_of(lambda: x.view(5)),
        "two inferred": error_of(lambda: x.view(-1, -1)),
        "as a list": error_of(lambda: x.view_as([1.0])),
    }


@case("stride", "is_contiguous", "contiguous")
def memory(torch):
    x = numbers(torch, 2, 3)
    turned = x.t()
    return {
        "strides": [x.stride(), turned.stride(), x.stride(0), x.stride(-1), x[:, ::2].stride(), x[0].stride()],
        "contiguous": [
            x.is_contiguous(),
            turned.is_contiguous(),
            turned.contiguous().stride(),
            x[:, :1].is_contiguous(),
        ],
        "itself": [x.contiguous() is x, turned.contiguous() is turned],
        "formats": x.is_contiguous(memory_format=torch.contiguous_format),
        **differentiated(torch, lambda x: x.t().contiguous(), x),
        "expanded": [torch.ones(1, 3).expand(2, 3).stride(), torch.ones(3, 1).expand(3, 2).is_contiguous()],
        "out of range": error_of(lambda: x.stride(2)),
    }


@case("data", "detach", "clone")
def copies(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    kept = x.detach()
    kept[0] = 5.0
    x.data += 1
    cloned = x.clone()
    (cloned * 2).sum().backward()
    replaced = torch.zeros(1)
    replaced.data = torch.tensor([3.0, 4.0])
    return {
        "shared": [x, kept, x.data_ptr() == kept.data_ptr(), x.data.data_ptr() == x.data_ptr()],
        "no graph": [kept.requires_grad, x.data.requires_grad, x.detach().grad_fn, x.data is x],
        "clone": cloned,
        "gradient": x.grad,
        "apart": cloned.data_ptr() == x.data_ptr(),
        "of a view": torch.arange(6).reshape(2, 3).t().clone(),
        "replaced": replaced,
        "data of a list": error_of(lambda: setattr(x, "data", [1.0])),
        "changed under backward": error_of(lambda: _written_before_backward(torch)),
    }


def _written_before_backward(torch):
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.detach().zero_()
    y.sum().backward()


@case("copy_", "fill_", "zero_")
def writes(torch):
    x = torch.ones(2, 3)
    given = torch.tensor([1.0, 2.0], requires_grad=True)
    target = torch.zeros(3, 2)
    target.copy_(given)
    (target * numbers(torch, 3, 2)).sum().backward()
    leaf = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        leaf.copy_(torch.tensor([3.0, 4.0]))
    return {
        "copy_": [x.copy_(torch.tensor([1, 2, 3])) is x, x.clone()],
        "cast": torch.zeros(2, dtype=torch.int64).copy_(torch.tensor([1.9, -1.9])),
        "gradient": [target, given.grad],
        "leaf": leaf,
        "fill_": [
            x.fill_(2.5) is x,
            x.clone(),
            torch.ones(2, dtype=torch.int64).fill_(2.9),
            x.fill_(torch.tensor(1.0)),
        ],
        "zero_": [x[:, :2].zero_(), x],
        "in a graph": differentiated(torch, lambda x: (x * 2).fill_(3.0) + x, numbers(torch, 2)),
        "part of a graph": differentiated(torch, lambda x: _zeroed(x * 2), numbers(torch, 3)),
        "growing": error_of(lambda: torch.ones(3).copy_(torch.ones(2, 3))),
        "shapes": error_of(lambda: x.copy_(torch.ones(2, 2))),
        "a leaf": error_of(lambda: leaf.zero_()),
        "expanded": error_of(lambda: torch.ones(1).expand(3).copy_(torch.ones(3))),
        "several values": error_of(lambda: x.fill_(torch.ones(2))),
        "a string": error_of(lambda: x.fill_("a")),
    }


def _zeroed(y):
    y[1].zero_()
    return y


@case("expand", "expand_as", "repeat", "tile", "ops:expand", "ops:expand_as", "ops:repeat", "ops:tile")
def repeats(torch):
    x = numbers(torch, 2, 1)
    return {
        **differentiated(torch, lambda x: x.expand(2, 3), x),
        "in front": differentiated(torch, lambda x: x.expand(2, -1, 2), x),
        "one tuple": x.expand((2, 2)),
        "as": differentiated(torch, lambda x: x.expand_as(torch.ones(3, 2, 4)), x),
        "no copy": x.expand(2, 3).data_ptr() == x.data_ptr(),
        "repeat": differentiated(torch, lambda x: x.repeat(1, 3), x),
        "repeat in front": x.repeat(2, 2, 1),
        "repeat, one tuple": x.repeat((1, 2)),
        "tile": differentiated(torch, lambda x: x.tile(3), x),
        "tile, more": torch.tile(x, (2, 1, 2)),
        "no times": x.repeat(1, 0).shape,
        "wrong size": error_of(lambda: x.expand(3, 3)),
        "fewer axes": error_of(lambda: x.expand(2)),
        "a new axis of -1": error_of(lambda: x.expand(-1, 2, 3)),
        "repeat, fewer axes": error_of(lambda: x.repeat(2)),
        "repeat, negative": error_of(lambda: x.repeat(1, -1)),
    }


@case("flip", "narrow", "ops:flip", "ops:narrow")
def parts(torch):
    x = numbers(torch, 2, 4)
    return {
        **differentiated(torch, lambda x: x.flip(1), x),
        "several": x.flip(0, 1),
        "one tuple": differentiated(torch, lambda x: x.flip((0, -1)), x),
        "function": torch.flip(x, dims=[0]),
        "none": x.flip(()),
        "narrow": differentiated(torch, lambda x: x.narrow(1, 1, 2), x),
        "narrow from the end": x.narrow(dim=-1, start=-2, length=2),
        "narrow to nothing": x.narrow(1, 4, 0),
        "narrow under NumPy's name": x.narrow(axis=0, start=1, length=1),
        "shares memory": x.narrow(0, 0, 1).data_ptr() == x.data_ptr(),
        "flip twice": error_of(lambda: x.flip(0, 0)),
        "flip out of range": error_of(lambda: x.flip(2)),
        "narrow too far": error_of(lambda: x.narrow(1, 3, 2)),
        "narrow out of range": error_of(lambda: x.narrow(2, 0, 1)),
        "narrow from beyond": error_of(lambda: x.narrow(1, 5, 0)),
        "narrow a number": error_of(lambda: torch.tensor(1.0).narrow(0, 0, 1)),
        "narrow, negative length": error_of(lambda: x.narrow(1, 0, -1)),
    }


@case("masked_fill", "masked_fill_", "ops:masked_fill")
def masked_fill(torch):
    x, mask = numbers(torch, 2, 3), torch.tensor([[True, False, True], [False, False, True]])
    w = x.clone()
    return {
        **differentiated(torch, lambda x: x.masked_fill(mask, -1.0), x),
        "by a tensor": differentiated(torch, lambda x, v: x.masked_fill(mask, v), x, torch.tensor(2.0)),
        "broadcast": x.masked_fill(mask[:1], float("-inf")),
        "keyword": torch.masked_fill(x, mask=mask, value=0),
        "in place": [w.masked_fill_(mask, 9) is w, w],
        "in a graph": differentiated(torch, lambda x: (x * 2).masked_fill_(mask, 0.0), x),
        "ints": torch.tensor([1, 2, 3]).masked_fill(mask[0], 7),
        "float into ints": error_of(lambda: torch.tensor([1, 2, 3]).masked_fill_(mask[0], 1.5)),
        "no mask": error_of(lambda: x.masked_fill(x, 0.0)),
        "shapes": error_of(lambda: x.masked_fill(mask[:, :2], 0.0)),
        "several values": error_of(lambda: x.masked_fill(mask, torch.ones(3))),
        "a leaf": error_of(lambda: torch.ones(2, 3, requires_grad=True).masked_fill_(mask, 0.0)),
    }


@case("scatter", "scatter_", "ops:scatter")
def scatter(torch):
    x, index = numbers(torch, 2, 3), torch.tensor([[0, 2], [1, 0]])
    source = numbers(torch, 2, 2) * 2
    w = x.clone()
    return {
        **differentiated(torch, lambda x, s: x.scatter(1, index, s), x, source),
        "a number": differentiated(torch, lambda x: x.scatter(1, index, 5.0), x),
        "one hot": torch.zeros(3, 4).scatter_(1, torch.tensor([[1], [3], [0]]), 1.0),
        "first axis": x.scatter(0, index[:, :1], source[:, :1]),
        "keyword": torch.scatter(input=x, dim=-1, index=index, src=source),
        "value": x.scatter(dim=1, index=index, value=2),
        "NumPy's name": x.scatter(axis=1, index=index, src=source),
        "a number, reduced": torch.tensor(3).scatter(0, torch.tensor(0), 2.5, reduce="add"),
        "reduce": [x.scatter(1, index, source, reduce="add"), x.clone().scatter_(1, index, 3.0, reduce="multiply")],
        "in place": [w.scatter_(1, index, source) is w, w],
        "in a graph": differentiated(torch, lambda x, s: (x * 2).scatter_(1, index, s), x, source),
        "out of range": error_of(lambda: x.scatter(1, index + 3, source)),
        "float index": error_of(lambda: x.scatter(1, index.float(), source)),
        "types": error_of(lambda: x.scatter(1, index, source.double())),
        "ranks": error_of(lambda: x.scatter(1, index[0], source)),
        "no such dim": error_of(lambda: x.scatter(2, index, source)),
        "a leaf": error_of(lambda: torch.ones(2, 3, requires_grad=True).scatter_(1, index, source)),
        "another reduction": error_of(lambda: x.scatter(1, index, source, reduce="mean")),
    }


@case("index_select", "index_add_", "index_fill_", "ops:index_select", "ops:index_add")
def by_index(torch):
    x, index = numbers(torch, 3, 2), torch.tensor([2, 0, 2])
    source = numbers(torch, 3, 2) * 2
    w, filled = x.clone(), x.clone()
    return {
        **differentiated(torch, lambda x: x.index_select(0, index), x),
        "keyword": torch.index_select(x, dim=1, index=torch.tensor([1])),
        "int32": x.index_select(0, index.int()),
        "NumPy's name": x.index_select(axis=1, index=torch.tensor([0])),
        "0-d index": x.index_select(0, torch.tensor(1)),
        "a number": torch.tensor(1.0).index_add_(0, torch.tensor([0]), torch.tensor(2.0), alpha=3),
        "added": differentiated(torch, lambda x, s: x.clone().index_add_(0, index, s), x, source),
        "added out of place": differentiated(torch, lambda x, s: torch.index_add(x, 0, index, s, alpha=0.5), x, source),
        "in place": [w.index_add_(0, index, source, alpha=2) is w, w],
        "filled": [filled.index_fill_(1, torch.tensor([0]), -1.0) is filled, filled],
        "filled in a graph": differentiated(torch, lambda x: x.clone().index_fill_(0, torch.tensor([0, 1]), 4.0), x),
        "a number, filled": torch.tensor(1.0).index_fill_(0, torch.tensor([0]), 2.0),
        "filled by a tensor": x.clone().index_fill_(0, torch.tensor([1]), torch.tensor(3.0)),
        "out of range": error_of(lambda: x.index_select(0, index + 1)),
        "float index": error_of(lambda: x.index_select(0, index.float())),
        "matrix index": error_of(lambda: x.index_select(0, index.reshape(3, 1))),
        "add, wrong count": error_of(lambda: w.index_add_(0, index[:2], source)),
        "add, types": error_of(lambda: w.index_add_(0, index, source.double())),
        "add, out of range": error_of(lambda: w.index_add_(0, index + 1, source)),
        "fill, several values": error_of(lambda: filled.index_fill_(0, index, torch.ones(2))),
        "no such dim": error_of(lambda: x.index_select(2, index)),
    }


@case("new_zeros", "new_ones", "new_tensor", "ops:new_zeros")
def relatives(torch):
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    return {
        "new_zeros": [x.new_zeros(2, 3), x.new_zeros((1,)), x.new_zeros(size=(2,), dtype=torch.int64)],
        "new_ones": [x.new_ones(3), x.new_ones((1, 2), dtype=torch.bool), torch.tensor([1]).new_ones(2)],
        "new_tensor": [x.new_tensor([1, 2]), x.new_tensor(3), x.new_tensor([1.5], dtype=torch.int64)],
        "requires grad": [
            x.new_zeros(1).requires_grad,
            x.new_ones(1, requires_grad=True),
            x.new_tensor([1.0], requires_grad=True),
        ],
        "device": str(x.new_zeros(1, device="cpu").device),
        "negative": error_of(lambda: x.new_zeros(-1)),
        "ragged": error_of(lambda: x.new_tensor([[1], [2, 3]])),
        "floats": error_of(lambda: x.new_ones(1.5)),
    }
