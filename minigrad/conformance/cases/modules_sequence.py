"""Layers of sequences: recurrent networks, attention, transformers."""

from minigrad.conformance.cases.modules import case, layers
from minigrad.conformance.exercises import flat, numbers, outcomes, set_by_formula, weighted

# Recurrent networks: lines and batches, several layers, both directions, a state to start from.
for _name in ("RNN", "GRU"):
    layers(
        _name,
        (lambda nn, name=_name: getattr(nn, name)(2, 3), (3, 2, 2)),
        (lambda nn, name=_name: getattr(nn, name)(2, 2, batch_first=True), (1, 3, 2), (1, 1, 2)),
        (lambda nn, name=_name: getattr(nn, name)(2, 2, num_layers=2, bidirectional=True), (2, 1, 2)),
        (lambda nn, name=_name: getattr(nn, name)(2, 1, bias=False), (3, 2)),
        wrong=[[(3, 2, 4)], [(2,)], [(3, 2, 2), (1, 1, 3)], [(3, 2), (3, 2)], [[[1, 2]]]],
        refused=[
            lambda nn, name=_name: getattr(nn, name)(2, 0),
            lambda nn, name=_name: getattr(nn, name)(2, 2, num_layers=0),
            lambda nn, name=_name: getattr(nn, name)(2, 2, dropout=2),
            lambda nn, name=_name: getattr(nn, name)(2, 2.5),
        ],
    )
layers(
    "LSTM",
    (lambda nn: nn.LSTM(2, 3), (3, 2, 2)),
    (lambda nn: nn.LSTM(2, 2, num_layers=2, bidirectional=True, batch_first=True), (1, 2, 2)),
    (lambda nn: nn.LSTM(2, 1, bias=False), (3, 2)),
    wrong=[[(3, 2, 4)], [(2,)]],
    refused=[lambda nn: nn.LSTM(2, 2, dropout=-1), lambda nn: nn.LSTM(2, 2, bias=1)],
)
layers(
    "RNNCell",
    (lambda nn: nn.RNNCell(2, 3), (2, 2)),
    (lambda nn: nn.RNNCell(2, 2, False, "relu"), (2,), (2,)),
    wrong=[[(2, 3)]],
)
layers(
    "GRUCell",
    (lambda nn: nn.GRUCell(2, 3), (2, 2)),
    (lambda nn: nn.GRUCell(2, 2, bias=False), (2,), (2,)),
    wrong=[[(2, 3)]],
)
layers(
    "LSTMCell",
    (lambda nn: nn.LSTMCell(2, 3), (2, 2)),
    (lambda nn: nn.LSTMCell(2, 2, bias=False), (2,)),
    wrong=[[(2, 3)]],
)


@case("LSTM", "LSTMCell", "RNN", "GRU")
def recurrent_networks_with_options(torch):
    nn, x = torch.nn, numbers(torch, 3, 2, 2, dtype=torch.float64)
    lstm, relu, deep = nn.LSTM(2, 2), nn.RNN(2, 2, nonlinearity="relu"), nn.GRU(2, 2, 2, dropout=0.5)
    for module in (lstm, relu, deep):
        set_by_formula(torch, module.double())
    state = [numbers(torch, 1, 2, 2, start=i, dtype=torch.float64).requires_grad_() for i in (3, 5)]
    packed = nn.utils.rnn.pack_padded_sequence(x, [3, 2])
    out, (h, c) = lstm(x, tuple(state))
    weighted(torch, [out, h, c]).backward()
    unpacked, lengths = nn.utils.rnn.pad_packed_sequence(lstm(packed)[0])
    cell = nn.LSTMCell(2, 2).double()
    set_by_formula(torch, cell)
    torch.manual_seed(1)
    return {
        "repr": [repr(deep), repr(relu), [name for name, _ in deep.named_parameters()], lstm.all_weights[0]],
        "from a state": [out, h, c, [s.grad for s in state], lstm.weight_hh_l0.grad],
        "cell": cell(x[0], tuple(s[0] for s in state)),
        "packed": [unpacked, lengths, lstm(packed)[1]],
        "relu": relu(x),
        "dropout": [deep(x)[0], deep.eval()(x)[0]],
        "errors": outcomes(lambda: nn.RNN(2, 2, nonlinearity="sin"), lambda: lstm(x, (h, c[0]))),
    }


# Attention. The gradient of the weights counts as well.
layers(
    "MultiheadAttention",
    (lambda nn: nn.MultiheadAttention(4, 2), (3, 2, 4), (2, 2, 4), (2, 2, 4)),
    (lambda nn: nn.MultiheadAttention(2, 1, batch_first=True, bias=False), (1, 2, 2), (1, 3, 2), (1, 3, 2)),
    (lambda nn: nn.MultiheadAttention(2, 2, kdim=3, vdim=1), (2, 2), (3, 3), (3, 1)),
    wrong=[[(3, 2, 3), (2, 2, 3), (2, 2, 3)], [(4,), (4,), (4,)], [(3, 2, 4), (2, 1, 4), (2, 2, 4)]],
    refused=[lambda nn: nn.MultiheadAttention(3, 2), lambda nn: nn.MultiheadAttention(0, 1)],
)


@case("MultiheadAttention")
def attention_with_masks(torch):
    attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)
    set_by_formula(torch, attention.double())
    x = numbers(torch, 2, 3, 4, dtype=torch.float64)
    causal = torch.triu(torch.ones(3, 3, dtype=torch.bool), 1)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    return {
        "causal": attention(x, x, x, attn_mask=causal),
        "padding": attention(x, x, x, key_padding_mask=padding, average_attn_weights=False),
        "values alone": attention(x, x, x, need_weights=False, attn_mask=causal, is_causal=True),
        "added": attention(x, x, x, attn_mask=torch.zeros(3, 3, dtype=torch.float64).masked_fill(causal, -1.0))[0],
        "errors": outcomes(
            lambda: attention(x, x, x, attn_mask=causal[:2]),
            lambda: attention(x, x, x, key_padding_mask=padding[:1]),
            lambda: attention(x, x, x, need_weights=False, is_causal=True),
        ),
    }


# Transformers, without dropout and with it.
for _name in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
    _inputs = ((2, 2, 2),) if "Encoder" in _name else ((2, 2, 2), (3, 2, 2))
    layers(
        _name,
        (lambda nn, name=_name: getattr(nn, name)(2, 1, 3, dropout=0.0), *_inputs),
        (lambda nn, name=_name: getattr(nn, name)(2, 2, 2, 0.0, "gelu", norm_first=True, bias=False), *_inputs),
        (
            lambda nn, name=_name: getattr(nn, name)(2, 2, 2, 0.5, batch_first=True, layer_norm_eps=0.1),
            *_inputs[:1] * len(_inputs),
        ),
        wrong=[[(2, 2, 3)] * len(_inputs)],
        refused=[
            lambda nn, name=_name: getattr(nn, name)(3, 2),
            lambda nn, name=_name: getattr(nn, name)(2, 2, activation="sin"),
        ],
    )
layers(
    "TransformerEncoder",
    (lambda nn: nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 1, 2, 0.0), 2), (2, 1, 2)),
    (lambda nn: nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 2, 2, 0.0), 1, nn.LayerNorm(2)), (2, 1, 2)),
    wrong=[[(2, 1, 3)]],
)
layers(
    "TransformerDecoder",
    (lambda nn: nn.TransformerDecoder(nn.TransformerDecoderLayer(2, 1, 2, 0.0), 2), (2, 1, 2), (1, 1, 2)),
    wrong=[[(2, 1, 2)], [(2, 1, 3), (2, 1, 3)]],
)
layers(
    "Transformer",
    (lambda nn: nn.Transformer(2, 1, 1, 1, 2, dropout=0.0), (2, 1, 2), (1, 1, 2)),
    wrong=[[(2, 1, 2)], [(2, 1, 3), (2, 1, 2)], [(2, 1, 2), (2, 2, 2)]],
    refused=[lambda nn: nn.Transformer(3, 2)],
)


@case("Transformer", "TransformerEncoder", "TransformerEncoderLayer")
def transformers_with_masks(torch):
    nn = torch.nn
    model = nn.Transformer(4, 2, 1, 1, 4, dropout=0.0, batch_first=True).double()
    set_by_formula(torch, model)
    source, target = numbers(torch, 1, 3, 4, dtype=torch.float64), numbers(torch, 1, 2, 4, start=7, dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(2).double()
    padding = torch.tensor([[False, False, True]])
    y = model(source, target, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(4, 2, 4, batch_first=True), 2, enable_nested_tensor=False
    )
    ties = [p is q for p, q in zip(encoder.layers[0].parameters(), encoder.layers[1].parameters(), strict=True)]
    return {
        "mask": [mask, y],
        "encoder": [encoder.layers[0].linear1.weight.equal(encoder.layers[1].linear1.weight), flat(ties)],
        "names": [list(model.state_dict()), sum(p.numel() for p in model.parameters())],
        "errors": outcomes(lambda: model(source, target, tgt_mask=mask[:1]), lambda: model(source, target[..., :3])),
    }
