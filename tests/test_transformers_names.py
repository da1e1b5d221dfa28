"""The names of `transformers`: two programs of the usual form, and single names, on tiny folders made here."""

import subprocess
import sys
from pathlib import Path

import pytest

import minigrad as mg
from minigrad import text, transformers
from models.bert import Bert, BertConfig, BertForPreTraining
from models.gpt import GPT, GPTConfig
from models.llama import Llama, LlamaConfig
from models.pretrained import load_model

PROGRAMS = Path(__file__).parent / "programs" / "transformers"
GOOD = ["房间很干净，服务很好", "早餐丰富，下次还会来", "性价比很高，值得推荐", "位置方便，很满意"]
BAD = ["房间又脏又小", "服务态度很差", "隔音不好，睡不着", "再也不会来了"]


@pytest.fixture
def bert_folder(tmp_path):
    mg.manual_seed(0)
    characters = sorted(set("".join(GOOD + BAD)))
    folder = tmp_path / "bert"
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
             "max_position_embeddings": 64, "initializer_range": 0.3, "hidden_dropout_prob": 0.0}  # fmt: skip
    BertForPreTraining(BertConfig(len(vocabulary), **sizes)).save(folder)
    return folder


@pytest.fixture(params=["gpt2", "llama"])
def decoder_folder(request, tmp_path):
    mg.manual_seed(0)
    tokenizer = text.ByteTokenizer()
    if request.param == "gpt2":
        model = GPT(GPTConfig(len(tokenizer), block_size=64, n_layer=1, n_head=2, n_embd=8))
    else:
        model = Llama(LlamaConfig(len(tokenizer), context=64, layers=1, heads=2, key_heads=1, channels=8, hidden=8))
    model.save(tmp_path / "model", tokenizer)
    return tmp_path / "model"


def run(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "minigrad.run", str(PROGRAMS / program), *map(str, arguments)],
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_fine_tuning_as_tutorials_do(bert_folder, tmp_path):
    table = tmp_path / "reviews.csv"
    lines = [f'"{t}",{label}' for label, texts in ((1, GOOD), (0, BAD)) for t in texts * 40]
    table.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    done = run("finetune_bert.py", bert_folder, table, tmp_path / "tuned")
    lines = done.stdout.splitlines()
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines[:3]]
    assert losses[2] < losses[0] and "accuracy" in lines[2]
    assert lines[3] == "saved and loaded: True"
    assert "classifier.weight" in done.stderr and "new" in done.stderr  # the head that the folder did not have
    classify = mg.pipeline(tmp_path / "tuned")
    assert set(classify(GOOD[0])["probabilities"]) == {"LABEL_0", "LABEL_1"}


def test_continuing_a_chinese_prompt(decoder_folder):
    lines = run("continue_chinese.py", decoder_folder).stdout.splitlines()
    assert lines[:2] == ["True", "True"]
    assert float(lines[3]) > 0


def test_outputs_are_reached_by_name_place_and_key(bert_folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert_folder)
    model = transformers.BertForSequenceClassification.from_pretrained(bert_folder, num_labels=3)
    inputs = tokenizer(GOOD[:2], padding=True, return_tensors="pt")
    outputs = model(**inputs, labels=mg.tensor([0, 2]))
    loss, logits = outputs.to_tuple()
    assert outputs.loss is loss is outputs[0] is outputs["loss"] and outputs.logits is logits and logits.shape == (2, 3)
    assert model(**inputs).loss is None and model(**inputs)[0].shape == (2, 3)
    with pytest.raises(AttributeError, match="these outputs have loss, logits, not 'attentions'"):
        outputs.attentions  # noqa: B018
    loss.backward()
    assert model.classifier.weight.grad is not None
    assert model.num_parameters() == sum(p.numel() for p in model.parameters())


def test_the_bare_model_is_a_layer_of_a_user_s_module(bert_folder):
    class Mine(mg.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = transformers.AutoModel.from_pretrained(bert_folder)
            self.head = mg.nn.Linear(self.bert.config.hidden_size, 2)

        def forward(self, **inputs):
            return self.head(self.bert(**inputs).last_hidden_state[:, 0])

    tokenizer = transformers.BertTokenizer.from_pretrained(bert_folder)
    inputs = tokenizer(GOOD[0], return_tensors="pt")
    model = Mine()
    model(**inputs).sum().backward()
    assert "bert.encoder.layer.0.attention.self.query.weight" in dict(model.named_parameters())
    assert model.bert.embeddings.word_embeddings.weight.grad is not None
    plain = Bert.load(bert_folder)
    with mg.no_grad():
        want, pooled = plain(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)
        got = model.eval().bert(**inputs)
    assert mg.equal(got.last_hidden_state, want) and mg.equal(got.pooler_output, pooled)


def test_generate_keeps_the_library_s_meaning(decoder_folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(decoder_folder).eval()
    tokens = mg.tensor([[5, 9, 7]])
    assert model.generate(tokens).shape == (1, 23)  # 20 new ones, where nothing is said
    assert model.generate(mg.ones(1, 60, dtype=mg.int64)).shape == (1, 64)  # or as many as the context holds
    assert mg.equal(model.generate(tokens, max_new_tokens=4), model.generate(tokens, max_new_tokens=4))  # greedy
    assert model.generate(tokens, max_new_tokens=4, do_sample=True, num_return_sequences=3).shape == (3, 7)
    first = model.generate(tokens, max_new_tokens=1)[0, -1].item()
    assert model.generate(tokens, max_new_tokens=1, suppress_tokens=[first])[0, -1].item() != first
    rows = mg.tensor([[5, 9, 7], [1, 2, 3]])
    free = model.generate(rows, max_new_tokens=4)
    assert free[0, 3] != free[1, 3]
    model.generation_config.eos_token_id, model.config.pad_token_id = first, 200  # the first row ends at once
    assert model.generate(rows, max_new_tokens=4)[0].tolist()[:5] == [5, 9, 7, first, 200]
    with pytest.raises(NotImplementedError, match="beam search draws nothing"):
        model.generate(tokens, do_sample=True, num_beams=3)
    with pytest.raises(NotImplementedError, match="do not take penalty_alpha"):
        model.generate(tokens, penalty_alpha=0.6)
    with pytest.raises(ValueError, match="needs input_ids"):
        model.generate()


def test_sizes_are_found_by_the_library_s_names(bert_folder, decoder_folder):
    for folder, kind, width, layers in (
        (bert_folder, transformers.BertModel, 32, 1), (decoder_folder, transformers.AutoModelForCausalLM, 8, 1),
    ):  # fmt: skip
        config = kind.from_pretrained(folder).config
        assert (config.hidden_size, config.num_hidden_layers, config.max_position_embeddings) == (width, layers, 64)
        assert config.model_type in ("bert", "gpt2", "llama") and config.num_attention_heads == 2


def test_without_names_the_outputs_are_a_tuple(bert_folder, decoder_folder):
    tokens = mg.tensor([[5, 9, 7]])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(bert_folder, num_labels=2)
    loss, logits = model(tokens, labels=mg.tensor([1]), return_dict=False)
    assert loss.dim() == 0 and logits.shape == (1, 2)
    for folder in (bert_folder, decoder_folder):
        assert isinstance(transformers.AutoModel.from_pretrained(folder)(tokens, return_dict=False), tuple)


def test_what_is_saved_is_whole(bert_folder, decoder_folder, tmp_path):
    """Labels, special tokens and a class's name that `minigrad.pipeline` and the library know."""
    names = {0: "bad", 1: "good"}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(bert_folder, num_labels=2, id2label=names)
    assert model.config.id2label == names and model.config.label2id == {"bad": 0, "good": 1}
    model.save_pretrained(tmp_path / "tuned", safe_serialization=True)
    transformers.AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path / "tuned")
    assert set(mg.pipeline(tmp_path / "tuned")(GOOD[0])["probabilities"]) == {"bad", "good"}
    again = transformers.AutoConfig.from_pretrained(tmp_path / "tuned")
    assert again.architectures == ["BertForSequenceClassification"]
    assert transformers.AutoModel.from_pretrained(tmp_path / "tuned").config.id2label == names
    bare = transformers.AutoModel.from_pretrained(bert_folder)
    bare.save_pretrained(tmp_path / "bare")
    assert type(load_model(tmp_path / "bare")).__name__ == "Bert"
    writer = transformers.AutoModelForCausalLM.from_pretrained(decoder_folder)
    writer.config.eos_token_id = 5
    writer.save_pretrained(tmp_path / "writer")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "writer")
    assert config.eos_token_id == 5 and config.architectures[0] in ("GPT2LMHeadModel", "LlamaForCausalLM")
    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "writer").config.eos_token_id == 5


def test_pipelines_have_the_library_s_form(bert_folder, decoder_folder, tmp_path):
    transformers.BertForSequenceClassification.from_pretrained(bert_folder, num_labels=2).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path)
    classify, ours = transformers.pipeline("sentiment-analysis", model=tmp_path), mg.pipeline(tmp_path)
    (found,) = classify(GOOD[0])
    assert found == {name: ours(GOOD[0])[name] for name in ("label", "score")}
    assert len(classify(GOOD)) == 4 and len(classify(GOOD[0], top_k=None)) == 2 == len(classify(GOOD, top_k=2)[3])
    write, ours = transformers.pipeline("text-generation", model=str(decoder_folder)), mg.pipeline(decoder_folder)
    assert write("ab", max_new_tokens=3) == [{"generated_text": ours("ab", max_new_tokens=3)}]
    assert [len(each) for each in write(["ab", "c"], max_new_tokens=3, do_sample=True, temperature=0.5)] == [1, 1]
    with pytest.raises(ValueError, match="holds a .* which is for text-generation, not for ner"):
        transformers.pipeline("ner", model=decoder_folder)
    with pytest.raises(ValueError, match="unknown task 'fill-mask'"):
        transformers.pipeline("fill-mask", model=bert_folder)
    with pytest.raises(TypeError, match="takes the path of a folder, got a (GPT|Llama)"):
        transformers.pipeline("text-generation", model=ours.model)


def test_the_schedule():
    optimizer = transformers.AdamW([mg.nn.Parameter(mg.zeros(1))], lr=1.0)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 2, 6)
    rates = []
    for _ in range(7):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0, 0.5, 1, 0.75, 0.5, 0.25, 0])


def test_what_is_refused(bert_folder, decoder_folder):
    for kind in (transformers.AutoTokenizer, transformers.AutoModel, transformers.BertForSequenceClassification):
        with pytest.raises(FileNotFoundError, match="minigrad downloads no models"):
            kind.from_pretrained("google-bert/bert-base-chinese")
    with pytest.raises(ValueError, match=r"BertModel reads folders of type bert; .* holds a '(gpt2|llama)'"):
        transformers.BertModel.from_pretrained(decoder_folder)
    with pytest.raises(TypeError, match="has no setting 'do_magic'"):
        transformers.AutoTokenizer.from_pretrained(bert_folder, do_magic=True)
    with pytest.raises(AttributeError, match="minigrad has no transformers.T5Model; it has"):
        transformers.T5Model  # noqa: B018
    with mg.alias():
        from transformers import BertModel as aliased
    assert aliased is transformers.BertModel
