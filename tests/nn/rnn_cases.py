"""What the tests of recurrent layers try, written for any library with PyTorch's names (see layer_cases.py)."""

import warnings
from typing import Any

from layer_cases import fill, inputs, listed, wave

T, B, C, H = 5, 3, 2, 3
LENGTHS = [3, 5, 1]  # of the B sequences, where they are packed

# what it is called: class, keyword arguments, the layout of the input, whether states are given
LAYERS: dict[str, tuple[str, dict, str, bool]] = {
    "rnn": ("RNN", {}, "batch", False),
    "rnn, relu, states": ("RNN", {"nonlinearity": "relu", "num_layers": 2}, "batch", True),
    "rnn, two directions, packed": ("RNN", {"bidirectional": True, "num_layers": 2}, "packed", True),
    "rnn, no bias, no batch": ("RNN", {"bias": False}, "one", True),
    "lstm": ("LSTM", {}, "batch", False),
    "lstm, states": ("LSTM", {"num_layers": 2}, "batch", True),
    "lstm, batch first": ("LSTM", {"batch_first": True, "bidirectional": True}, "batch", True),
    "lstm, no bias": ("LSTM", {"bias": False, "bidirectional": True, "num_layers": 2}, "batch", False),
    "lstm, no batch": ("LSTM", {"bidirectional": True, "batch_first": True}, "one", True),
    "lstm, packed": ("LSTM", {"num_layers": 2, "bidirectional": True}, "packed", True),
    "lstm, projected": ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}, "batch", True),
    "lstm, projected, packed": ("LSTM", {"proj_size": 1, "bias": False, "bidirectional": True}, "packed", False),
    "lstm, packed, sorted": ("LSTM", {"batch_first": True}, "sorted", False),
    "gru": ("GRU", {}, "batch", False),
    "gru, states": ("GRU", {"num_layers": 2, "bidirectional": True}, "batch", True),
    "gru, batch first, no bias": ("GRU", {"bias": False, "batch_first": True}, "batch", True),
    "gru, no batch": ("GRU", {}, "one", False),
    "gru, packed": ("GRU", {"num_layers": 2, "bidirectional": True}, "packed", True),
}

# class, positional arguments, keyword arguments: repr, names of the parameters and initial weights
MODULES: list[tuple[str, list, dict]] = [
    ("RNN", [2, 3], {}), ("RNN", [2, 3, 2, "relu"], {"bidirectional": True}), ("LSTM", [2, 3], {}),
    ("LSTM", [2, 3, 2, False, True, 0.5, True], {}), ("GRU", [2, 3], {"num_layers": 2, "dropout": 0.1}),
    ("LSTM", [2, 3], {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    ("RNNCell", [2, 3], {}), ("RNNCell", [2, 3, False, "relu"], {}), ("LSTMCell", [2, 3], {}),
    ("GRUCell", [2, 3], {"bias": False}),
]  # fmt: skip

# what it is called: class, keyword arguments, shape of the input, whether states are given
CELLS: dict[str, tuple[str, dict, tuple[int, ...], bool]] = {
    "rnn cell": ("RNNCell", {}, (B, C), False),
    "rnn cell, relu": ("RNNCell", {"nonlinearity": "relu", "bias": False}, (B, C), True),
    "lstm cell": ("LSTMCell", {}, (B, C), True),
    "lstm cell, no batch": ("LSTMCell", {"bias": False}, (C,), False),
    "gru cell": ("GRUCell", {}, (B, C), True),
    "gru cell, no batch": ("GRUCell", {}, (C,), True),
}


def flat(outputs: Any) -> list[Any]:
    if not isinstance(outputs, tuple):
        return [outputs]
    return [y for part in outputs for y in flat(part)]


def answers(module: Any, outputs: list, given: list) -> dict[str, Any]:
    """Outputs, and the gradients of a weighted sum of them."""
    sum((y * y.detach().cos()).sum() for y in outputs).backward()
    return {
        "outputs": [listed(y) for y in outputs],
        "by inputs": [listed(x.grad) for x in given],
        "by parameters": {name: listed(p.grad) for name, p in module.named_parameters()},
    }


def layer(lib: Any, what: str, **more: Any) -> tuple[Any, list[Any], Any]:
    """(module, the tensors it takes, a function of them that gives its outputs)."""
    kind, options, layout, with_states = LAYERS[what]
    module = fill(lib, getattr(lib.nn, kind)(C, H, **options, **more))
    batch_first = options.get("batch_first", False)
    shape = {"one": (T, C)}.get(layout, (B, T, C) if batch_first else (T, B, C))
    given = inputs(lib, [wave(*shape)])
    if with_states:
        number = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
        state = (number,) if layout == "one" else (number, B)
        phases = {0.2: options.get("proj_size", H), 0.6: H} if kind == "LSTM" else {0.2: H}
        given += inputs(lib, [wave(*state, n, phase=phase, low=-0.9, high=0.9) for phase, n in phases.items()])

    def call(x: Any, *states: Any) -> list[Any]:
        hx = None if not states else states if kind == "LSTM" else states[0]
        utils = lib.nn.utils.rnn
        if layout in ("packed", "sorted"):
            lengths = lib.tensor(LENGTHS) if layout == "packed" else sorted(LENGTHS, reverse=True)
            packed = utils.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=layout == "sorted")
            y, last = module(packed, hx)
            return [y.data, utils.pad_packed_sequence(y, batch_first)[0], *flat(last)]
        return flat(module(x, hx))

    return module, given, call


def cell(lib: Any, what: str) -> tuple[Any, list[Any], Any]:
    kind, options, shape, with_states = CELLS[what]
    module = fill(lib, getattr(lib.nn, kind)(C, H, **options))
    given = inputs(lib, [wave(*shape)])
    if with_states:
        states = (0.2, 0.6) if kind == "LSTMCell" else (0.2,)
        given += inputs(lib, [wave(*shape[:-1], H, phase=phase, low=-0.9, high=0.9) for phase in states])

    def call(x: Any, *states: Any) -> list[Any]:
        return flat(module(x, (states if kind == "LSTMCell" else states[0]) if states else None))

    return module, given, call


def in_training(lib: Any) -> dict[str, Any]:
    """Outputs with dropout between the layers, which depend on the order in which it draws."""
    found = {}
    for what in ("rnn, relu, states", "lstm, no bias", "lstm, packed", "gru, states", "gru, packed"):
        for dtype in ("float64", "float32"):
            module, given, call = layer(lib, what, dropout=0.4)
            if dtype == "float32":
                module.float()
                given = [x.detach().float() for x in given]
            lib.manual_seed(3)
            found[f"{what}, {dtype}"] = [listed(y) for y in call(*given)]
    return found


def initial(lib: Any) -> list[Any]:
    found = []
    for seed in (0, 1337):
        for name, args, kwargs in MODULES:
            lib.manual_seed(seed)
            module = getattr(lib.nn, name)(*args, **kwargs)
            found.append([repr(module), {key: value.tolist() for key, value in module.state_dict().items()}])
    return found


def packing(lib: Any) -> dict[str, Any]:
    """What goes into packed sequences and comes out of them, and what pad_sequence makes."""
    utils = lib.nn.utils.rnn
    sequences = [lib.from_numpy(wave(n, 2, phase=n)) for n in LENGTHS]
    found: dict[str, Any] = {}
    for side in ("right", "left"):
        for first in (True, False):
            found[f"padded {side}, {first}"] = listed(utils.pad_sequence(sequences, first, -1.0, side))
    packed = utils.pack_sequence(sequences, enforce_sorted=False)
    found["packed"] = [listed(part) for part in packed]
    padded, lengths = utils.pad_packed_sequence(packed, True, 9.0, total_length=6)
    found["padded again"] = [listed(padded), listed(lengths)]
    found["unpacked"] = [listed(x) for x in utils.unpack_sequence(packed)]
    ordered = utils.pack_sequence([sequences[i] for i in (1, 0, 2)])
    found["sorted"] = [None if part is None else listed(part) for part in ordered]
    short = utils.pack_padded_sequence(lib.from_numpy(wave(2, 4)), [3, 2], batch_first=True)
    found["numbers, cut off"] = [listed(short.data), listed(short.batch_sizes)]
    found["repr"] = repr(utils.pack_sequence([lib.tensor([1.0, 2.0]), lib.tensor([3.0])]))
    return found


def errors(lib: Any) -> dict[str, list[str]]:
    """Type and text of what is said to input that does not fit."""
    nn, zeros, utils = lib.nn, lib.zeros, lib.nn.utils.rnn
    calls = {
        "no sequence": lambda: nn.LSTM(2, 3)(zeros(0, 1, 2)),
        "input size": lambda: nn.LSTM(2, 3)(zeros(4, 1, 3)),
        "state size": lambda: nn.RNN(2, 3)(zeros(4, 1, 2), zeros(2, 1, 3)),
        "cell size": lambda: nn.LSTM(2, 3)(zeros(4, 1, 2), (zeros(1, 1, 3), zeros(1, 2, 3))),
        "dtype": lambda: nn.GRU(2, 3)(zeros(4, 1, 2).double()),
        "dims": lambda: nn.LSTM(2, 3)(zeros(4, 1, 2, 1)),
        "state dims": lambda: nn.GRU(2, 3)(zeros(4, 1, 2), zeros(1, 3)),
        "state dims, no batch": lambda: nn.GRU(2, 3)(zeros(4, 2), zeros(1, 1, 3)),
        "nonlinearity": lambda: nn.RNN(2, 3, nonlinearity="elu"),
        "dropout": lambda: nn.LSTM(2, 3, 2, dropout=1.5),
        "hidden size": lambda: nn.LSTM(2, 0),
        "no projection": lambda: nn.LSTM(2, 3, proj_size=-1),
        "projection size": lambda: nn.LSTM(2, 3, proj_size=3),
        "type of size": lambda: nn.LSTM(2.0, 3),
        "cell dims": lambda: nn.GRUCell(2, 3)(zeros(1, 1, 2)),
        "cell nonlinearity": lambda: nn.RNNCell(2, 3, nonlinearity="elu")(zeros(1, 2)),
        "cell input": lambda: nn.LSTMCell(2, 3)(zeros(1, 3)),
        "cell state": lambda: nn.GRUCell(2, 3)(zeros(1, 2), zeros(1, 4)),
        "unsorted": lambda: utils.pack_padded_sequence(zeros(4, 2, 2), [2, 3]),
        "number of lengths": lambda: utils.pack_padded_sequence(zeros(4, 2, 2), [2]),
        "length zero": lambda: utils.pack_padded_sequence(zeros(4, 2, 2), [2, 0]),
        "total length": lambda: utils.pad_packed_sequence(utils.pack_sequence([zeros(3)]), total_length=2),
        "no sequences": lambda: utils.pad_sequence([]),
        "not a list": lambda: utils.pad_sequence(3),
        "side": lambda: utils.pad_sequence([zeros(2)], padding_side="top"),
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except (RuntimeError, ValueError, TypeError) as error:
            found[name] = [type(error).__name__, str(error)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nn.GRU(2, 3, dropout=0.5)
    found["dropout of one layer"] = [caught[0].category.__name__, str(caught[0].message)]
    return found
