"""BERT: every head's gradient, learning and names; padding on either side changes nothing; files of other tasks."""

import pytest
from model_checks import gradient_error, loss_after

import minigrad as mg
from minigrad import io
from models.bert import (
    Bert,
    BertConfig,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    best_span,
)

SIZES = {
    "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
    "max_position_embeddings": 10, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 3,
    "initializer_range": 0.5,
}  # fmt: skip


def tiny(kind, **changes):
    mg.manual_seed(0)
    return kind(BertConfig(**{**SIZES, **changes}))


def batch(rows: int = 4, columns: int = 6):
    g = mg.Generator().manual_seed(1)
    tokens = mg.randint(11, (rows, columns), generator=g)
    segments = (mg.arange(columns) >= 3).long().expand(rows, columns)
    return {"tokens": tokens, "mask": mg.ones(rows, columns), "segments": segments}


def hidden_words(tokens):
    return mg.where(mg.arange(tokens.size(1)) % 3 == 1, tokens, -100)


TASKS = {
    "words": (BertForPreTraining, lambda b: {"labels": hidden_words(b["tokens"])}),
    "words and order": (
        BertForPreTraining,
        lambda b: {"labels": hidden_words(b["tokens"]), "next_label": mg.tensor([0, 1, 1, 0])},
    ),
    "sequence": (BertForSequenceClassification, lambda b: {"labels": mg.tensor([0, 1, 2, 1])}),
    "tokens": (BertForTokenClassification, lambda b: {"labels": b["tokens"] % 3}),
    "span": (BertForQuestionAnswering, lambda b: {"start": mg.tensor([1, 2, 0, 3]), "end": mg.tensor([1, 4, 5, 3])}),
}


@pytest.mark.parametrize("task", TASKS)
def test_gradient(task):
    kind, labels = TASKS[task]
    b = batch()
    model = tiny(kind).double()
    assert gradient_error(model, lambda: model(**b, **labels(b))[1]) < 1e-6


@pytest.mark.parametrize("task", TASKS)
def test_overfits_one_batch(task):
    kind, labels = TASKS[task]
    b = batch()
    model = tiny(kind, hidden_size=32, initializer_range=0.1)
    assert loss_after(model, lambda: model(**b, **labels(b))[1], 120) < 0.05


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("task", TASKS)
def test_padding_changes_nothing(task, side):
    kind, labels = TASKS[task]
    model, b = tiny(kind).eval(), batch()
    wanted = labels(b)

    def padded(x, value):
        pads = mg.full((len(x), 3), value, dtype=x.dtype)
        return mg.cat((pads, x) if side == "left" else (x, pads), dim=1)

    moved = {"tokens": padded(b["tokens"], 7), "mask": padded(b["mask"], 0), "segments": padded(b["segments"], 1)}
    labels_moved = {k: padded(v, 2) if v.dim() == 2 else v for k, v in wanted.items()}
    shift = 3 if side == "left" else 0
    labels_moved = {k: v + shift if k in ("start", "end") else v for k, v in labels_moved.items()}
    with mg.no_grad():
        logits, loss = model(**b, **wanted)
        logits_padded, loss_padded = model(**moved, **labels_moved)
    assert loss_padded.item() == pytest.approx(loss.item(), abs=1e-5)
    if task in ("tokens", "span"):
        logits_padded = logits_padded[:, shift : shift + 6]
    pairs = zip(logits, logits_padded, strict=True) if isinstance(logits, tuple) else [(logits, logits_padded)]
    for want, got in pairs:
        assert (got - want).abs().max() < 1e-5


def test_attention_goes_both_ways_and_segments_matter():
    model, b = tiny(Bert).eval(), batch()
    changed = b["tokens"].clone()
    changed[:, -1] = (changed[:, -1] + 1) % 11
    with mg.no_grad():
        x, _ = model(**b)
        y, _ = model(**{**b, "tokens": changed})
        z, _ = model(b["tokens"])
    assert ((x - y).abs().amax(dim=(0, 2)) > 1e-4).all()
    assert not mg.allclose(x, z)


def test_names_and_shapes_are_hugging_face_s():
    C, M = 8, 12
    linear = lambda name, outputs, inputs: {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}  # noqa: E731
    norm = lambda name: {f"{name}.weight": (C,), f"{name}.bias": (C,)}  # noqa: E731
    expected = {
        "bert.embeddings.word_embeddings.weight": (11, C),
        "bert.embeddings.position_embeddings.weight": (10, C),
        "bert.embeddings.token_type_embeddings.weight": (2, C),
        **norm("bert.embeddings.LayerNorm"),
        **linear("bert.pooler.dense", C, C),
        "cls.predictions.bias": (11,),
        "cls.predictions.decoder.weight": (11, C),
        "cls.predictions.decoder.bias": (11,),
        **linear("cls.predictions.transform.dense", C, C),
        **norm("cls.predictions.transform.LayerNorm"),
        **linear("cls.seq_relationship", 2, C),
    }
    for i in range(2):
        layer = f"bert.encoder.layer.{i}"
        for part in ("query", "key", "value"):
            expected |= linear(f"{layer}.attention.self.{part}", C, C)
        expected |= linear(f"{layer}.attention.output.dense", C, C) | norm(f"{layer}.attention.output.LayerNorm")
        expected |= linear(f"{layer}.intermediate.dense", M, C)
        expected |= linear(f"{layer}.output.dense", C, M) | norm(f"{layer}.output.LayerNorm")
    assert {name: tuple(t.shape) for name, t in tiny(BertForPreTraining).state_dict().items()} == expected
    assert set(tiny(BertForSequenceClassification).state_dict()) >= {"classifier.weight", "classifier.bias"}
    assert set(tiny(BertForQuestionAnswering).state_dict()) >= {"qa_outputs.weight", "qa_outputs.bias"}


def test_published_size():
    """109,482,240 parameters of the bare encoder, by the shapes alone."""
    c = BertConfig()
    C, M = c.hidden_size, c.intermediate_size
    layer = 4 * (C * C + C) + 2 * 2 * C + (C * M + M) + (M * C + C)
    embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * C + 2 * C
    assert embeddings + c.num_hidden_layers * layer + C * C + C == 109_482_240
    small = tiny(Bert)
    layer = 4 * (8 * 8 + 8) + 2 * 2 * 8 + (8 * 12 + 12) + (12 * 8 + 8)
    assert sum(p.numel() for p in small.parameters()) == (11 + 10 + 2) * 8 + 16 + 2 * layer + 72


@pytest.mark.parametrize("task", TASKS)
def test_saved_and_loaded(task, tmp_path):
    kind, _ = TASKS[task]
    model, b = tiny(kind).eval(), batch()
    model.save(tmp_path)
    again = kind.load(tmp_path)
    assert again.config == model.config and again.fresh == []
    with mg.no_grad():
        want, got = model(**b)[0], again(**b)[0]
    for x, y in zip(want, got, strict=True) if isinstance(want, tuple) else [(want, got)]:
        assert mg.equal(x, y)


def test_another_task_s_file(tmp_path):
    pretrained = tiny(BertForPreTraining)
    pretrained.save(tmp_path)
    tuned = BertForSequenceClassification.load(tmp_path, num_labels=5)
    assert sorted(tuned.fresh) == ["classifier.bias", "classifier.weight"]
    assert mg.equal(
        tuned.bert.encoder.layer[1].output.dense.weight, pretrained.bert.encoder.layer[1].output.dense.weight
    )
    assert Bert.load(tmp_path).fresh == []
    bare = {name.removeprefix("bert."): t for name, t in tuned.to_state().items() if name.startswith("bert.")}
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
           for name, t in bare.items() if not name.startswith("pooler")}  # fmt: skip
    io.write_folder(
        tmp_path, {"model_type": "bert", **tuned.to_config()}, {**old, "embeddings.position_ids": mg.ones(1)}
    )
    again = BertForTokenClassification.load(tmp_path)
    assert {name.rpartition(".")[0] for name in again.fresh} == {"classifier", "bert.pooler.dense"}
    half = {**tuned.to_state()}
    del half["classifier.bias"]
    io.write_folder(tmp_path, {"model_type": "bert", **tuned.to_config()}, half)
    with pytest.raises(RuntimeError, match="Missing.*classifier.bias"):
        BertForSequenceClassification.load(tmp_path)
    with pytest.raises(RuntimeError, match="size mismatch for classifier.weight"):
        io.write_folder(tmp_path, {"model_type": "bert", **tuned.to_config()}, tuned.to_state())
        BertForSequenceClassification.load(tmp_path, num_labels=2)


def test_one_label_is_a_number():
    model = tiny(BertForSequenceClassification, num_labels=1).eval()
    logits, loss = model(batch()["tokens"], labels=mg.tensor([0.5, 1, 2, 3]))
    assert logits.shape == (4, 1)
    assert loss.item() == pytest.approx(((logits[:, 0] - mg.tensor([0.5, 1, 2, 3])) ** 2).mean().item())


def test_best_span():
    logits = mg.zeros(1, 5, 2)
    logits[0, :, 0] = mg.tensor([9.0, 0, 4, 0, 1])
    logits[0, :, 1] = mg.tensor([9.0, 5, 0, 2, 0])
    allowed = mg.tensor([[0, 1, 1, 1, 1]])
    assert best_span(logits, allowed)[0][:2] == (2, 3)  # end 1 is likelier, and before the start
    assert best_span(logits, allowed, longest=1)[0][:2] == (1, 1)
    assert 0 < best_span(logits, allowed)[0][2] < 1


def test_bad_input():
    with pytest.raises(ValueError, match=r"hidden_size \(8\) must be a multiple of num_attention_heads \(3\)"):
        tiny(Bert, num_attention_heads=3)
    with pytest.raises(ValueError, match="hidden_act must be one of gelu"):
        tiny(Bert, hidden_act="mish")
    with pytest.raises(ValueError, match="a sequence of 11 tokens is longer than max_position_embeddings 10"):
        tiny(Bert)(batch(1, 11)["tokens"])
    with pytest.raises(IndexError, match="out of range"):
        tiny(Bert)(mg.tensor([[11]]))
