"""Programs that say how a result is printed: the name behind `grad_fn=`. Functions of (m, x) and what they need."""

from types import SimpleNamespace
from typing import Any


def _printed(function: Any) -> Any:
    def program(m: Any) -> str:
        m.manual_seed(0)
        have = SimpleNamespace(
            x=m.randn(4, 6, requires_grad=True),
            batch=m.rand(3, 4, 6, requires_grad=True),
            w=m.randn(6, 5, requires_grad=True),
            v=m.randn(6, requires_grad=True),
            square=m.randn(4, 4, requires_grad=True),
            image=m.randn(2, 3, 8, 8, requires_grad=True),
            heads=m.randn(2, 2, 3, 4, requires_grad=True),
            labels=m.tensor([1, 2, 0, 3]),
            index=m.tensor([0, 2]),
        )
        result = function(m, have)
        return [result.grad_fn.name().split("::")[-1], repr(result).rsplit("grad_fn=", 1)[1]]

    return program


_FUNCTIONS = {
    "arithmetic": """
        h.x + 1; h.x + h.x; h.x - 1; 1 - h.x; h.x * 2; h.x / 2; 2 / h.x; -h.x; h.x**2; 2**h.x; h.x**h.x.detach()
        h.x.square(); h.x.clamp(0); h.x.clamp_min(0); h.x.clamp_max(0); m.lerp(h.x, h.x * 2, 0.5)
        m.addcmul(h.x, h.x, h.x); m.addcdiv(h.x, h.x, h.x); m.where(h.x > 0, h.x, 0.0); (h.x + 0).mul_(2); h.x.log1p()
        m.maximum(h.x, h.x * 2); h.x.exp2(); h.x.frac(); h.x.nan_to_num()
    """,
    "reductions": """
        h.x.sum(); h.x.sum(0); h.x.mean(); h.x.mean((0, 1)); h.x.prod(); h.x.prod(0); h.x.std(); h.x.var(0); h.x.max()
        h.x.min(); h.x.max(0)[0]; h.x.min(0).values; h.x.amax(0); h.x.norm(); h.x.norm(dim=0); h.x.sort(0)[0]
        h.x.topk(2)[0]; h.x.median(); h.x.median(0)[0]; h.x.logsumexp(0); h.square.trace()
    """,
    "products": """
        h.x @ h.w; h.x @ h.v; h.v @ h.w; h.v @ h.v; h.batch @ h.w; h.batch @ h.batch.mT; h.batch @ h.v; h.x.mm(h.w)
        m.bmm(h.batch, h.batch.mT); m.addmm(h.x[:, :5], h.x, h.w); m.outer(h.v, h.v); m.tensordot(h.x, h.w, 1)
        m.einsum("ij,jk->ik", h.x, h.w); m.einsum("ij->ji", h.x); m.einsum("ij->j", h.x); m.einsum("i,j->ij", h.v, h.v)
        m.nn.functional.scaled_dot_product_attention(h.heads, h.heads, h.heads)
        m.nn.functional.scaled_dot_product_attention(h.heads, h.heads, h.heads, m.zeros(3, 3))
        m.nn.functional.scaled_dot_product_attention(h.batch, h.batch, h.batch)
    """,
    "shapes": """
        h.x.t(); h.x.T; h.batch.mT; h.x.transpose(0, 1); h.batch.permute(2, 0, 1); h.x.view(-1); h.x.flatten()
        h.x.unsqueeze(0); h.x.unsqueeze(0).squeeze(0); h.x.unsqueeze(0).squeeze(); h.x.expand(2, 4, 6); h.x.repeat(2, 1)
        h.x.clone(); h.x.double(); h.x.unflatten(1, (2, 3)); m.cat([h.x, h.x]); m.stack([h.x, h.x]); h.x.split(2)[0]
        h.x.chunk(2)[1]; h.x.unbind(0)[0]; list(h.x)[1]; h.square.diagonal(); h.x.roll(1, 0); h.x.flip(0); h.x.tril()
        h.x.t().reshape(-1); h.x.reshape(-1); h.x.narrow(0, 1, 2); m.diag_embed(h.v); h.x.repeat_interleave(2, 0)
        h.v.repeat_interleave(m.tensor([1, 0, 2, 1, 1, 1])); m.nn.functional.pad(h.x, (1, 1))
        m.nn.functional.pad(h.image, (1, 1, 1, 1), mode="reflect")
    """,
    "indexing": """
        h.x[0]; h.x[0, 1]; h.x[:2]; h.x[:, 1:3]; h.x[:, 1]; h.x[..., 0]; h.x[None]; h.x[h.index]; h.x[h.index, h.index]
        h.x[h.x > 0]; h.x[:]; h.x[0:2, h.index]; h.x[1:][0]; h.x[..., None]; h.x[:, None, :]; h.x[[0, 1]]; h.x[::2]
        h.x[0, 1:3]; h.x.select(0, 1); h.x.gather(1, h.labels[:, None]); h.x.index_select(0, h.index)
        h.x.masked_fill(h.x > 0, 0); h.x.masked_select(h.x > 0); h.x.scatter_add(0, h.labels[None], h.x[:1])
        h.x.index_add(0, h.index, h.x[:2]); h.x[...]; h.x.index_put((h.index,), m.zeros(6))
        h.x.index_fill(0, h.index, 0)
        h.x.index_copy(0, h.index, m.zeros(2, 6)); h.x.scatter(1, h.labels[:, None], 1.0)
        h.x.scatter(1, h.labels[:, None], m.ones(4, 1)); h.x.index_put((h.index,), m.zeros(6), accumulate=True)
    """,
    "losses": """
        m.nn.functional.mse_loss(h.x, h.x.detach()); m.nn.functional.mse_loss(h.x, h.x.detach(), reduction="none")
        m.nn.functional.l1_loss(h.x, h.x.detach()); m.nn.functional.smooth_l1_loss(h.x, h.x.detach())
        m.nn.functional.huber_loss(h.x, h.x.detach()); m.nn.functional.cross_entropy(h.x, h.labels)
        m.nn.functional.cross_entropy(h.x, h.labels, reduction="none"); m.nn.functional.nll_loss(h.x, h.labels)
        m.nn.functional.cross_entropy(h.x, h.labels, weight=m.ones(6)); m.nn.GELU()(h.x)
        m.nn.functional.cross_entropy(h.x, h.labels, label_smoothing=0.1)
        m.nn.functional.cross_entropy(h.image, m.zeros(2, 8, 8).long())
        m.nn.functional.cross_entropy(h.x, h.x.detach().softmax(1))
        m.nn.functional.binary_cross_entropy(h.x.sigmoid(), m.ones(4, 6))
        m.nn.functional.binary_cross_entropy_with_logits(h.x, m.ones(4, 6))
        m.nn.functional.triplet_margin_loss(h.x, h.x * 2, h.x * 3); m.nn.functional.pairwise_distance(h.x, h.x * 2)
    """,
    "distances, samples": """
        m.cdist(h.x, h.x); m.cdist(m.rand(30, 6), h.x); m.pdist(h.x); h.x.mode()[0]; m.cov(h.x); m.corrcoef(h.x)
        m.nn.functional.grid_sample(h.image, m.zeros(2, 2, 2, 2), align_corners=False)
        m.nn.functional.affine_grid(h.x.view(4, 2, 3), (4, 1, 2, 2), align_corners=False)
        m.nn.ChannelShuffle(3)(h.image); m.nn.LocalResponseNorm(2)(h.image); m.nn.MultiMarginLoss()(h.x, h.labels)
        m.nn.SoftMarginLoss()(h.x, m.ones(4, 6)); m.nn.MultiLabelSoftMarginLoss()(h.x, m.ones(4, 6))
        m.nn.MultiLabelMarginLoss()(h.x, m.zeros(4, 6).long()); m.nn.TripletMarginWithDistanceLoss()(h.x, h.x, h.x)
    """,
    "layers": """
        m.nn.Linear(6, 5)(h.x); m.nn.Linear(6, 5, bias=False)(h.x); m.nn.Linear(6, 5)(h.batch)
        m.nn.Linear(6, 5, bias=False)(h.batch); m.nn.Linear(6, 5)(h.v); m.nn.Embedding(5, 3)(h.labels)
        m.nn.LayerNorm(6)(h.x); m.nn.BatchNorm1d(6)(h.x); m.nn.BatchNorm2d(3).eval()(h.image)
        m.nn.GroupNorm(3, 3)(h.image); m.nn.RMSNorm(6)(h.x); m.nn.Dropout(0.5)(h.x); m.nn.Conv2d(3, 4, 3)(h.image)
        m.nn.Conv1d(4, 2, 3)(h.batch); m.nn.ConvTranspose2d(3, 4, 3)(h.image); m.nn.MaxPool2d(2)(h.image)
        m.nn.AvgPool2d(2)(h.image); m.nn.AdaptiveAvgPool2d(1)(h.image); m.nn.AdaptiveAvgPool2d(2)(h.image)
        m.nn.AdaptiveMaxPool2d(2)(h.image); m.nn.MaxPool1d(2)(h.batch); m.nn.AvgPool1d(2)(h.batch)
        m.nn.Upsample(scale_factor=2)(h.image); m.nn.Upsample(scale_factor=2, mode="bilinear")(h.image)
        m.nn.PixelShuffle(2)(h.heads[:, :1].expand(2, 4, 3, 4)); m.nn.Flatten()(h.image); m.nn.LSTM(6, 5)(h.batch)[0]
        m.nn.LSTM(6, 5)(h.batch)[1][0]; m.nn.GRU(6, 5)(h.batch)[0]; m.nn.LSTM(6, 5, batch_first=True)(h.batch)[0]
        m.nn.RNN(6, 5, bidirectional=True)(h.batch)[0]; m.nn.LSTMCell(6, 5)(h.x)[0]; m.nn.LSTMCell(6, 5)(h.x)[1]
        m.nn.GRUCell(6, 5)(h.x); m.nn.RNNCell(6, 5)(h.x); m.nn.EmbeddingBag(5, 3)(h.labels.view(2, 2)); m.nn.GLU()(h.x)
        m.nn.CELU()(h.x); m.nn.PReLU()(h.x); m.nn.LogSigmoid()(h.x); m.nn.Softmax(1)(h.x)
        m.nn.ReLU(inplace=True)(h.x + 0)
    """,
}

CASES = {
    expression.strip(): _printed(eval(f"lambda m, h: {expression.strip()}"))
    for family in _FUNCTIONS.values()
    for expression in family.replace("\n", ";").split(";")
    if expression.strip()
}


def after_backward(m):
    x = m.ones(2, 3, requires_grad=True)
    loss = m.nn.functional.mse_loss(x * 2, m.zeros(2, 3))
    row = x.sum(0)
    (loss + row.sum()).backward()
    return [repr(loss), repr(row), loss.grad_fn.name(), repr(x.grad_fn)]


def after_writing(m):
    x = m.ones(3, 4, requires_grad=True)
    ways = {
        "[0]": lambda y: y.__setitem__(0, 2.0),
        "[1:]": lambda y: y.__setitem__(slice(1, None), 2.0),
        "[rows]": lambda y: y.__setitem__(m.tensor([0, 2]), 2.0),
        "[mask]": lambda y: y.__setitem__(y > 0, 2.0),
        "add_": lambda y: y.add_(1),
        "[0].add_": lambda y: y[0].add_(1),
    }
    found = {}
    for name, write in ways.items():
        y = x * 2
        write(y)
        found[name] = y.grad_fn.name().split("::")[-1]
    return found
