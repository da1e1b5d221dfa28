"""Ops that give the same entries another shape or order, and those that make tensors."""

from minigrad.conformance.cases.ops import ops

# One tensor, another shape.
ops(
    "reshape",
    (lambda t, x: t.reshape(x, (3, 2)), (2, 3)),
    (lambda t, x: x.reshape(-1), (2, 3)),
    (lambda t, x: x.t().reshape(2, -1), (2, 3)),
    wrong=(lambda t, x: x.reshape(4), lambda t, x: x.reshape(-1, -1), lambda t, x: x.reshape(4, -1)),
)
ops(
    "view",
    (lambda t, x: x.view(3, 2), (2, 3)),
    (lambda t, x: x.view(-1, 1).view((2, 3)), (2, 3)),
    wrong=(lambda t, x: x.view(4), lambda t, x: x.t().view(6), lambda t, x: x.view()),
)
ops("view_as", (lambda t, x, y: x.view_as(y), (2, 3), (3, 2)), wrong=(lambda t, x: x.view_as(t.ones(4)),))
ops(
    "permute",
    (lambda t, x: t.permute(x, (2, 0, 1)), (2, 3, 2)),
    (lambda t, x: x.permute(-1, 0, 1), (2, 3, 2)),
    wrong=(lambda t, x: x.permute(0), lambda t, x: x.permute(0, 0), lambda t, x: x.permute(0, 2)),
)
ops(
    "transpose",
    (lambda t, x: t.transpose(x, 0, 2), (2, 3, 2)),
    (lambda t, x: x.transpose(-1, 0), (2, 3)),
    wrong=(lambda t, x: x.transpose(0, 2), lambda t, x: x.transpose(0)),
)
ops("t", (lambda t, x: t.t(x), (2, 3)), (lambda t, x: x.t(), (3,)), wrong=(lambda t, x: t.ones(2, 2, 2).t(),))
ops("T", (lambda t, x: x.T, (2, 3)), wrong=(lambda t, x: x.T(),))
ops(
    "squeeze",
    (lambda t, x: t.squeeze(x), (1, 3, 1)),
    (lambda t, x: x.squeeze(0), (1, 3, 1)),
    (lambda t, x: x.squeeze((0, 1, 2)), (1, 3, 1)),
    wrong=(lambda t, x: x.squeeze(2),),
)
ops(
    "unsqueeze",
    (lambda t, x: t.unsqueeze(x, 1), (2, 3)),
    (lambda t, x: x.unsqueeze(-1), (2, 3)),
    wrong=(lambda t, x: x.unsqueeze(4), lambda t, x: x.unsqueeze()),
)
ops(
    "flatten",
    (lambda t, x: t.flatten(x), (2, 3, 2)),
    (lambda t, x: x.flatten(1), (2, 3, 2)),
    (lambda t, x: x.flatten(start_dim=0, end_dim=1), (2, 3, 2)),
    (lambda t, x: t.flatten(x), 2.5),
    wrong=(lambda t, x: x.flatten(2), lambda t, x: x.flatten(1, 0)),
)
ops(
    "unflatten",
    (lambda t, x: t.unflatten(x, 1, (2, -1)), (2, 6)),
    (lambda t, x: x.unflatten(-1, (3, 1)), (2, 3)),
    wrong=(lambda t, x: x.unflatten(1, (2, 2)), lambda t, x: x.unflatten(2, (1, 1))),
)
ops(
    "expand",
    (lambda t, x: x.expand(2, 3), (2, 1)),
    (lambda t, x: x.expand(4, -1, 3), (2, 1)),
    wrong=(lambda t, x: x.expand(2, 4), lambda t, x: x.expand(3), lambda t, x: x.expand(-1, 2, 3)),
)
ops("expand_as", (lambda t, x, y: x.expand_as(y), (2, 1), (2, 3)), wrong=(lambda t, x: x.expand_as(t.ones(3)),))
ops(
    "broadcast_to", (lambda t, x: t.broadcast_to(x, (2, 2, 3)), (2, 1)), wrong=(lambda t, x: t.broadcast_to(x, (2, 4)),)
)
ops(
    "repeat",
    (lambda t, x: x.repeat(2, 1), (2, 3)),
    (lambda t, x: x.repeat((2, 1, 2)), (2, 1)),
    (lambda t, x: x.repeat(0, 1), (2, 3)),
    wrong=(lambda t, x: x.repeat(2), lambda t, x: x.repeat(-1, 1)),
)
ops(
    "repeat_interleave",
    (lambda t, x: t.repeat_interleave(x, 2), (2, 2)),
    (lambda t, x: x.repeat_interleave(2, dim=1), (2, 2)),
    (lambda t, x, n: t.repeat_interleave(x, n, dim=0), (2, 2), [1, 3]),
    wrong=(lambda t, x: x.repeat_interleave(2, dim=2), lambda t, x: x.repeat_interleave(t.tensor([1, 2, 3]), dim=0)),
)
ops(
    "tile",
    (lambda t, x: t.tile(x, (2,)), (2, 2)),
    (lambda t, x: x.tile(2, 1, 1), (2, 2)),
    wrong=(lambda t, x: x.tile(-1),),
)
ops(
    "contiguous",
    (lambda t, x: [x.t().contiguous(), x.t().contiguous().is_contiguous(), x.t().is_contiguous()], (2, 3)),
)
ops(
    "clone",
    (lambda t, x: t.clone(x), (2, 3)),
    (lambda t, x: x.clone().mul_(2), (2, 3)),
    wrong=(lambda t, x: t.clone(1),),
)
ops(
    "unfold",
    (lambda t, x: x.unfold(1, 2, 1), (2, 4)),
    (lambda t, x: x.unfold(0, 3, 2), (5,)),
    (lambda t, x: x.unfold(0, 1, 1), ()),
    wrong=(lambda t, x: x.unfold(1, 4, 1), lambda t, x: x.unfold(1, 1, 0), lambda t, x: x.unfold(2, 1, 1)),
)

# Several tensors.
ops(
    "cat",
    (lambda t, x, y: t.cat([x, y]), (2, 3), (1, 3)),
    (lambda t, x, y: t.cat((x, y), dim=-1), (2, 3), (2, 1)),
    (lambda t, x, n: t.cat([x, n]), (2,), [1, 2]),
    (lambda t, x: t.cat([t.zeros(0), x]), (2, 3)),
    wrong=(
        lambda t, x: t.cat([x, t.ones(2, 2)]),
        lambda t, x: t.cat([]),
        lambda t, x: t.cat([x, x], 2),
        lambda t, x: t.cat(1),
    ),
)
ops(
    "stack",
    (lambda t, x, y: t.stack([x, y]), (2, 3), (2, 3)),
    (lambda t, x, y: t.stack((x, y), dim=-1), (2, 3), (2, 3)),
    wrong=(lambda t, x: t.stack([x, t.ones(2)]), lambda t, x: t.stack([]), lambda t, x: t.stack([x], 4)),
)
ops(
    "hstack",
    (lambda t, x, y: t.hstack((x, y)), (2, 3), (2, 1)),
    (lambda t, x, y: t.hstack([x, y]), (2,), (3,)),
    wrong=(lambda t, x: t.hstack([x, x[0]]),),
)
ops(
    "vstack",
    (lambda t, x, y: t.vstack((x, y)), (2, 3), (1, 3)),
    (lambda t, x, y: t.vstack([x, y]), (3,), (3,)),
    wrong=(lambda t, x: t.vstack([x, x[0, :2]]),),
)
ops(
    "meshgrid",
    (lambda t, x, y: t.meshgrid(x, y, indexing="ij"), (2,), (3,)),
    (lambda t, x, y: t.meshgrid([x, y], indexing="xy"), (2,), (3,)),
    wrong=(lambda t, x: t.meshgrid(x, indexing="ij"), lambda t, x: t.meshgrid(x[0], indexing="no")),
)

# Parts.
ops(
    "chunk",
    (lambda t, x: t.chunk(x, 2, dim=1), (2, 3)),
    (lambda t, x: x.chunk(4), (6,)),
    wrong=(lambda t, x: x.chunk(0), lambda t, x: x.chunk(2, 2)),
)
ops(
    "split",
    (lambda t, x: t.split(x, 2, dim=1), (2, 3)),
    (lambda t, x: x.split([1, 2], 1), (2, 3)),
    wrong=(lambda t, x: x.split([1, 1], 1), lambda t, x: x.split(-1), lambda t, x: x.split(1, 2)),
)
ops(
    "split_with_sizes",
    (lambda t, x: t.split_with_sizes(x, [1, 2], dim=1), (2, 3)),
    wrong=(lambda t, x: x.split_with_sizes([1]),),
)
ops(
    "unbind",
    (lambda t, x: t.unbind(x, 1), (2, 3)),
    (lambda t, x: x.unbind()[1], (2, 3)),
    wrong=(lambda t, x: x.unbind(2),),
)
ops(
    "narrow",
    (lambda t, x: t.narrow(x, 1, 1, 2), (2, 3)),
    (lambda t, x: x.narrow(0, -1, 1), (2, 3)),
    wrong=(lambda t, x: x.narrow(1, 2, 2), lambda t, x: x.narrow(2, 0, 1), lambda t, x: x.narrow(0, 0, -1)),
)
ops(
    "select",
    (lambda t, x: t.select(x, 1, -1), (2, 3)),
    wrong=(lambda t, x: x.select(1, 3), lambda t, x: x.select(2, 0)),
)
ops(
    "flip",
    (lambda t, x: t.flip(x, (0, 1)), (2, 3)),
    (lambda t, x: x.flip(-1), (2, 3)),
    wrong=(lambda t, x: x.flip(2), lambda t, x: x.flip(0, 0)),
)
ops(
    "roll",
    (lambda t, x: t.roll(x, 1), (2, 3)),
    (lambda t, x: x.roll((1, -1), (0, 1)), (2, 3)),
    wrong=(lambda t, x: x.roll(1, 2), lambda t, x: x.roll((1, 2), 0)),
)
ops(
    "movedim",
    (lambda t, x: t.movedim(x, 0, -1), (2, 3, 2)),
    (lambda t, x: x.movedim((0, 1), (1, 0)), (2, 3, 2)),
    wrong=(lambda t, x: x.movedim(0, 2), lambda t, x: x.movedim((0, 1), (0, 0))),
)
ops("tril", (lambda t, x: t.tril(x), (3, 3)), (lambda t, x: x.tril(-1), (2, 3, 2)), wrong=(lambda t, x: t.tril(x[0]),))
ops(
    "triu",
    (lambda t, x: t.triu(x), (3, 3)),
    (lambda t, x: x.triu(diagonal=1), (2, 3, 2)),
    wrong=(lambda t, x: t.triu(x[0]),),
)
ops(
    "diag",
    (lambda t, x: t.diag(x), (3,)),
    (lambda t, x: t.diag(x, -1), (3, 3)),
    (lambda t, x: x.diag(1), (2,)),
    wrong=(lambda t, x: t.diag(t.ones(2, 2, 2)), lambda t, x: t.diag(x[0, 0])),
)
ops(
    "diagonal",
    (lambda t, x: t.diagonal(x, offset=1), (3, 3)),
    (lambda t, x: x.diagonal(0, 0, 2), (2, 3, 2)),
    wrong=(lambda t, x: x[0].diagonal(), lambda t, x: x.diagonal(0, 0, 0)),
)
ops(
    "diag_embed",
    (lambda t, x: t.diag_embed(x), (2, 3)),
    (lambda t, x: x.diag_embed(offset=-1, dim1=0, dim2=2), (2, 2)),
    wrong=(lambda t, x: t.diag_embed(x, dim1=0, dim2=0), lambda t, x: t.diag_embed(x, dim1=4)),
)

# Makers.
ops(
    "arange",
    (lambda t: [t.arange(4), t.arange(1, 4), t.arange(5, 0, -2), t.arange(0, 1, 0.25)],),
    (lambda t: [t.arange(3.0), t.arange(3, dtype=t.float64), t.arange(0)],),
    (lambda t: t.arange(3.0, requires_grad=True),),
    wrong=(
        lambda t, x: t.arange(2, 1),
        lambda t, x: t.arange(1, 2.5, 0.5, dtype=t.int64),
        lambda t, x: t.arange(0, 1, 0),
        lambda t, x: t.arange(),
    ),
)
ops(
    "linspace",
    (lambda t: [t.linspace(0, 1, 5), t.linspace(-1, 1, steps=4, dtype=t.float64), t.linspace(3, 1, 1)],),
    (lambda t: [t.linspace(0, 10, 5, dtype=t.int64), t.linspace(0, 1, 0)],),
    wrong=(lambda t, x: t.linspace(0, 1), lambda t, x: t.linspace(0, 1, -1), lambda t, x: t.linspace(0, 1, 2.5)),
)
ops(
    "eye",
    (lambda t: [t.eye(2), t.eye(2, 3, dtype=t.int64), t.eye(0)],),
    wrong=(lambda t, x: t.eye(-1), lambda t, x: t.eye(2.5)),
)
for _name in ("zeros", "ones"):
    ops(
        _name,
        (
            lambda t, f=_name: [
                getattr(t, f)(2, 3),
                getattr(t, f)((2,), dtype=t.int64),
                getattr(t, f)([]),
                getattr(t, f)(0, 2),
            ],
        ),
        (lambda t, f=_name: getattr(t, f)(2, requires_grad=True),),
        wrong=(
            lambda t, x, f=_name: getattr(t, f)(-1),
            lambda t, x, f=_name: getattr(t, f)(2.5),
            lambda t, x, f=_name: getattr(t, f)("2"),
        ),
    )
ops(
    "full",
    (lambda t: [t.full((2, 2), 3), t.full((2,), 0.5), t.full([1], True), t.full((), 2, dtype=t.float64)],),
    wrong=(lambda t, x: t.full(2, 1), lambda t, x: t.full((2,)), lambda t, x: t.full((-1,), 0)),
)
for _name in ("zeros_like", "ones_like"):
    ops(
        _name,
        (lambda t, x, f=_name: getattr(t, f)(x), (2, 3)),
        (lambda t, x, f=_name: getattr(t, f)(x, dtype=t.float32, requires_grad=True), [1, 2]),
        wrong=(lambda t, x, f=_name: getattr(t, f)([1.0]), lambda t, x, f=_name: getattr(t, f)(2)),
    )
ops(
    "full_like",
    (lambda t, x: t.full_like(x, 3), (2, 3)),
    (lambda t, x: t.full_like(x, 2.5, dtype=t.float32), [1, 2]),
    wrong=(lambda t, x: t.full_like(x), lambda t, x: t.full_like([1.0], 2)),
)
ops(
    "new_zeros",
    (lambda t, x: [x.new_zeros(2, 2), x.new_zeros((3,), dtype=t.int64), x.new_zeros(0)], (2,)),
    wrong=(lambda t, x: x.new_zeros(-1), lambda t, x: x.new_zeros(1.5)),
)
