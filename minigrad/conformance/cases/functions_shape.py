"""Cases of shapes: views, joins and cuts."""

from minigrad.conformance.case import cases_of, error_of, everywhere
from minigrad.conformance.exercises import differentiated, numbers

case = cases_of("functions")


@case("cat", "concatenate", "ops:cat")
def cat(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 1, 3)
    return {
        **differentiated(torch, lambda a, b: torch.cat((a, b)), a, b),
        "last axis": differentiated(torch, lambda a, b: torch.cat([a, b], dim=-1), a, numbers(torch, 2, 2)),
        "concatenate": differentiated(torch, lambda a, b: torch.concatenate([a, b], axis=0), a, b),
        "keyword": torch.cat(tensors=[a, a], dim=1),
        "one": torch.cat([a]),
        "types": torch.cat([torch.tensor([1, 2]), torch.tensor([0.5])]),
        "empty": torch.cat([torch.tensor([]), torch.tensor([1.0])]),
        "shapes": error_of(lambda: torch.cat([a, numbers(torch, 2, 2)])),
        "ranks": error_of(lambda: torch.cat([a, torch.ones(3)])),
        "nothing": error_of(lambda: torch.cat([])),
        "a tensor": error_of(lambda: torch.cat(a)),
        "0-d": error_of(lambda: torch.cat([torch.tensor(1.0), torch.tensor(2.0)])),
        "numbers": error_of(lambda: torch.cat([1.0, 2.0])),
        "out of range": error_of(lambda: torch.cat([a, b], 2)),
    }


@case(*everywhere("stack"))
def stack(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 2, 3) * 2
    return {
        **differentiated(torch, lambda a, b: torch.stack([a, b]), a, b),
        "between": differentiated(torch, lambda a, b: torch.stack((a, b), dim=1), a, b),
        "last": torch.stack(tensors=(a, b), dim=-1),
        "0-d": torch.stack([torch.tensor(1.0), torch.tensor(2.0)]),
        "a tensor": torch.stack(tuple(a)),
        "types": torch.stack([torch.tensor(1), torch.tensor(0.5)]),
        "shapes": error_of(lambda: torch.stack([a, torch.ones(2, 2)])),
        "nothing": error_of(lambda: torch.stack([])),
        "out of range": error_of(lambda: torch.stack([a, b], 3)),
    }


@case(*everywhere("hstack"))
def hstack(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 2, 1)
    return {
        **differentiated(torch, lambda a, b: torch.hstack((a, b)), a, b),
        "vectors": torch.hstack([torch.tensor([1, 2]), torch.tensor([3])]),
        "0-d": torch.hstack(tensors=[torch.tensor(1.0), torch.tensor(2.0)]),
        "shapes": error_of(lambda: torch.hstack([a, torch.ones(1, 3)])),
        "nothing": error_of(lambda: torch.hstack([])),
    }


@case(*everywhere("reshape"))
def reshape(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.reshape(x, (3, 2)), x),
        "sizes": x.reshape(6, 1),
        "inferred": differentiated(torch, lambda x: x.reshape(-1, 2), x),
        "keyword": [torch.reshape(input=x, shape=(6,)), x.reshape(shape=(1, 6))],
        "of a Size": x.reshape(torch.Size([3, 2])),
        "shares memory": x.reshape(-1).data_ptr() == x.data_ptr(),
        "not contiguous": x.t().reshape(6),
        "to 0-d": torch.ones(1).reshape(()),
        "empty": torch.ones(0, 3).reshape(3, 0),
        "wrong count": error_of(lambda: x.reshape(4)),
        "two inferred": error_of(lambda: x.reshape(-1, -1)),
        "no multiple": error_of(lambda: x.reshape(-1, 4)),
        "floats": error_of(lambda: x.reshape(2.0, 3.0)),
    }


@case(*everywhere("flatten"))
def flatten(torch):
    x = numbers(torch, 2, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.flatten(x, 1), x),
        "all": x.flatten(),
        "some": differentiated(torch, lambda x: x.flatten(start_dim=0, end_dim=1), x),
        "keyword": torch.flatten(input=x, start_dim=1, end_dim=-1),
        "0-d": torch.tensor(1.0).flatten(),
        "backwards": error_of(lambda: x.flatten(2, 1)),
        "out of range": error_of(lambda: x.flatten(3)),
    }


@case(*everywhere("squeeze"))
def squeeze(torch):
    x = numbers(torch, 1, 3, 1)
    return {
        **differentiated(torch, lambda x: torch.squeeze(x), x),
        "one": x.squeeze(0),
        "not 1": x.squeeze(1),
        "several": x.squeeze((0, 2)),
        "NumPy's name": x.squeeze(axis=2),
        "keyword": torch.squeeze(input=x, dim=-1),
        "shares memory": x.squeeze().data_ptr() == x.data_ptr(),
        "out of range": error_of(lambda: x.squeeze(3)),
    }


@case(*everywhere("unsqueeze"), "tensor:unsqueeze_")
def unsqueeze(torch):
    x = numbers(torch, 2, 3)
    w = x.clone()
    return {
        **differentiated(torch, lambda x: torch.unsqueeze(x, 0), x),
        "last": x.unsqueeze(-1),
        "keyword": torch.unsqueeze(input=x, dim=1),
        "NumPy's name": x.unsqueeze(axis=0),
        "in place": w.unsqueeze_(1) is w,
        "after it": w,
        "in a graph": differentiated(torch, lambda x: (x * 2).unsqueeze_(0), x),
        "no dim": error_of(lambda: x.unsqueeze()),
        "out of range": error_of(lambda: x.unsqueeze(3)),
        "out of range, in place": error_of(lambda: w.unsqueeze_(5)),
    }


@case(*everywhere("transpose"), "tensor:swapaxes")
def transpose(torch):
    x = numbers(torch, 2, 3, 2)
    return {
        **differentiated(torch, lambda x: torch.transpose(x, 0, 2), x),
        "negative": x.transpose(-1, -2),
        "keyword": torch.transpose(input=x, dim0=0, dim1=1),
        "swapaxes": x.swapaxes(0, 1),
        "swapaxes by keyword": x.swapaxes(axis0=0, axis1=2),
        "strides": x.transpose(0, 1).stride(),
        "shares memory": x.transpose(0, 1).data_ptr() == x.data_ptr(),
        "one axis": error_of(lambda: x.transpose(0)),
        "out of range": error_of(lambda: x.transpose(0, 3)),
    }


@case("tensor:permute", "ops:permute")
def permute(torch):
    x = numbers(torch, 2, 3, 2)
    return {
        **differentiated(torch, lambda x: x.permute(2, 0, 1), x),
        "one tuple": x.permute((1, 0, 2)),
        "function": torch.permute(input=x, dims=(0, 2, 1)),
        "negative": x.permute(-1, 0, 1).stride(),
        "too few": error_of(lambda: x.permute(0, 1)),
        "twice": error_of(lambda: x.permute(0, 0, 1)),
        "out of range": error_of(lambda: x.permute(0, 1, 3)),
    }


@case("tensor:t", "tensor:T", "tensor:mT", "ops:t", "ops:T")
def turned(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: x.t(), x),
        "T": differentiated(torch, lambda x: x.T, x),
        "mT": differentiated(torch, lambda x: x.mT, numbers(torch, 2, 2, 3)),
        "function": torch.t(x),
        "of a vector": [torch.ones(2).t(), torch.ones(2).T],
        "t of three": error_of(lambda: torch.ones(1, 2, 3).t()),
        "mT of a vector": error_of(lambda: torch.ones(2).mT),
    }


@case(*everywhere("chunk"))
def chunk(torch):
    x = numbers(torch, 5, 2)
    return {
        **differentiated(torch, lambda x: torch.chunk(x, 2), x),
        "last axis": x.chunk(2, dim=1),
        "NumPy's name": x.chunk(2, axis=1)[0],
        "fewer than asked": [len(x.chunk(4)), len(x.chunk(9))],
        "keyword": torch.chunk(input=x, chunks=3, dim=0),
        "a tuple": isinstance(x.chunk(2), tuple),
        "none": error_of(lambda: x.chunk(0)),
        "out of range": error_of(lambda: x.chunk(2, 2)),
    }


@case(*everywhere("split"))
def split(torch):
    x = numbers(torch, 5, 2)
    return {
        **differentiated(torch, lambda x: torch.split(x, 2), x),
        "sizes": differentiated(torch, lambda x: x.split([1, 4]), x),
        "last axis": x.split(1, dim=-1),
        "keyword": torch.split(x, split_size_or_sections=3, dim=0),
        "method by keyword": x.split(split_size=3),
        "a tuple": isinstance(x.split(2), tuple),
        "wrong sizes": error_of(lambda: x.split([1, 3])),
        "of none": error_of(lambda: x.split(0)),
        "negative": error_of(lambda: x.split(-1)),
        "out of range": error_of(lambda: x.split(2, 2)),
    }


@case(*everywhere("unbind"))
def unbind(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.unbind(x), x),
        "last axis": differentiated(torch, lambda x: x.unbind(-1), x),
        "keyword": torch.unbind(input=x, dim=1)[2],
        "NumPy's name": x.unbind(axis=1)[0],
        "iteration": list(x),
        "0-d": error_of(lambda: torch.tensor(1.0).unbind()),
        "out of range": error_of(lambda: x.unbind(2)),
    }


@case(*everywhere("roll"))
def roll(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.roll(x, 1, 1), x),
        "all": x.roll(2),
        "several": torch.roll(input=x, shifts=(1, -1), dims=(0, 1)),
        "far": x.roll(-7, dims=1),
        "counts": error_of(lambda: x.roll((1, 2), 0)),
        "out of range": error_of(lambda: x.roll(1, 2)),
    }


def _triangle(name):
    def program(torch):
        function, x = getattr(torch, name), numbers(torch, 3, 4)
        return {
            **differentiated(torch, lambda x: function(x), x),
            "above": function(x, 1),
            "below": function(input=x, diagonal=-1),
            "method": getattr(x, name)(diagonal=1),
            "batch": function(numbers(torch, 2, 2, 2)),
            "bools": function(torch.ones(2, 2, dtype=torch.bool)),
            "a vector": error_of(lambda: function(torch.ones(3))),
        }

    program.__name__ = name
    return program


for _name in ("tril", "triu"):
    case(*everywhere(_name))(_triangle(_name))


@case(*everywhere("diag"))
def diag(torch):
    x, v = numbers(torch, 2, 3), numbers(torch, 2)
    return {
        **differentiated(torch, lambda v: torch.diag(v), v),
        "of a matrix": differentiated(torch, lambda x: x.diag(), x),
        "above": [x.diag(1), v.diag(diagonal=-1)],
        "keyword": torch.diag(input=x, diagonal=2),
        "of three axes": error_of(lambda: torch.diag(torch.ones(1, 2, 3))),
        "0-d": error_of(lambda: torch.diag(torch.tensor(1.0))),
    }


@case(*everywhere("diag_embed"))
def diag_embed(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.diag_embed(x), x),
        "offset": torch.diag_embed(x[0], offset=1),
        "axes": torch.diag_embed(input=x, dim1=0, dim2=2),
        "method": x.diag_embed(-1),
        "one axis": error_of(lambda: torch.diag_embed(x, dim1=1, dim2=1)),
        "out of range": error_of(lambda: torch.diag_embed(x, dim1=0, dim2=3)),
    }


@case(*everywhere("meshgrid"))
def meshgrid(torch):
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0, 5.0])
    return {
        **differentiated(torch, lambda a, b: torch.meshgrid(a, b, indexing="ij"), a, b),
        "xy": torch.meshgrid(a, b, indexing="xy"),
        "a list": torch.meshgrid([a, b]),
        "numbers": torch.meshgrid(torch.tensor(1.0), a),
        "another order": error_of(lambda: torch.meshgrid(a, b, indexing="yx")),
        "a matrix": error_of(lambda: torch.meshgrid(a, torch.ones(2, 2))),
        "types": error_of(lambda: torch.meshgrid(a, torch.tensor([1, 2]))),
    }


@case(*everywhere("repeat_interleave"))
def repeat_interleave(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.repeat_interleave(x, 2, dim=0), x),
        "flat": x.repeat_interleave(2),
        "counts": differentiated(torch, lambda x: x.repeat_interleave(torch.tensor([1, 0, 2]), dim=1), x),
        "keyword": torch.repeat_interleave(input=x, repeats=torch.tensor([2]), dim=-1),
        "NumPy's name": x.repeat_interleave(2, axis=0),
        "output size": x.repeat_interleave(torch.tensor([1, 2]), dim=0, output_size=3),
        "positions": torch.repeat_interleave(torch.tensor([1, 2, 0])),
        "negative": error_of(lambda: x.repeat_interleave(torch.tensor([-1, 2]), 0)),
        "wrong count": error_of(lambda: x.repeat_interleave(torch.tensor([1, 2]), dim=1)),
    }


@case(*everywhere("gather"))
def gather(torch):
    x, index = numbers(torch, 2, 3), torch.tensor([[0, 2, 0], [1, 1, 1]])
    return {
        **differentiated(torch, lambda x: torch.gather(x, 1, index), x),
        "method": differentiated(torch, lambda x: x.gather(dim=0, index=index[:1] % 2), x),
        "keyword": torch.gather(input=x, dim=-1, index=index[:, :1]),
        "NumPy's name": x.gather(axis=1, index=index),
        "both names": error_of(lambda: x.gather(dim=1, axis=1, index=index)),
        "out of range": error_of(lambda: x.gather(1, index + 2)),
        "float index": error_of(lambda: x.gather(1, index.float())),
        "ranks": error_of(lambda: x.gather(1, index[0])),
        "larger index": error_of(lambda: x.gather(1, torch.zeros(3, 1, dtype=torch.int64))),
        "no such dim": error_of(lambda: x.gather(2, index)),
    }
