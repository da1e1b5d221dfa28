"""The names of the library `transformers` that tutorials use, for models in local folders.

    from minigrad.transformers import AutoTokenizer, BertForSequenceClassification   # or, under minigrad.alias() and
    tokenizer = AutoTokenizer.from_pretrained("bert-base-chinese/")                  # minigrad.run: from transformers
    model = BertForSequenceClassification.from_pretrained("bert-base-chinese/", num_labels=2)
    outputs = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt"), labels=labels)
    outputs.loss.backward()

The models are those of `models/`; a class here is one of them with the library's argument names and outputs. Nothing is
downloaded: a name that is no folder raises FileNotFoundError that says how to get the folder.
"""

import sys
from typing import Any, ClassVar

from minigrad import nn, optim
from minigrad.architectures import models
from minigrad.optim.lr_scheduler import LambdaLR
from minigrad.tensor import Tensor
from minigrad.transformers_pipeline import pipeline as pipeline

__version__ = "4.57.0+minigrad"
AdamW = optim.AdamW


class ModelOutput(dict):
    """Named results: `outputs.logits`, `outputs["logits"]`, `outputs[0]` and `loss, logits = outputs.to_tuple()`.

    What is None is left out, as in the library, so that outputs[0] is the loss where labels were given.
    """

    def __init__(self, **named: Any):
        super().__init__({name: value for name, value in named.items() if value is not None})
        self._names = tuple(named)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name != "_names" and name in self._names:
            return None
        raise AttributeError(f"these outputs have {', '.join(self)}, not {name!r}")

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(self.values())


def _outputs(return_dict: bool | None, **named: Any) -> Any:
    """The named results; without names, as a tuple, where return_dict=False asks for that."""
    found = ModelOutput(**named)
    return found.to_tuple() if return_dict is False else found


# ---------------------------------------------------------------- tokenizers


class AutoTokenizer:
    """`AutoTokenizer.from_pretrained(folder, **changes)`: the tokenizer in a folder, as `minigrad.text` reads it."""

    @classmethod
    def from_pretrained(cls, folder: Any, **changes: Any) -> Any:
        from minigrad import io
        from minigrad.text import load_tokenizer

        changes = {name: value for name, value in changes.items() if name not in _UNUSED}
        try:
            tokenizer = load_tokenizer(folder)
        except FileNotFoundError:
            io.read_config(folder)  # its error names the hub, where the folder itself is not there
            raise
        for name, value in changes.items():
            if not hasattr(tokenizer, name):
                raise TypeError(f"{type(tokenizer).__name__} has no setting {name!r}")
            setattr(tokenizer, name, value)
        return tokenizer


BertTokenizer = BertTokenizerFast = GPT2Tokenizer = GPT2TokenizerFast = LlamaTokenizer = AutoTokenizer
PreTrainedTokenizerFast = AutoTokenizer


# ---------------------------------------------------------------- models


# Arguments of from_pretrained that say where and how to load, which a folder on this machine has no need of.
_UNUSED = (
    "torch_dtype", "dtype", "device_map", "cache_dir", "revision", "local_files_only", "attn_implementation", "token",
    "low_cpu_mem_usage", "trust_remote_code", "use_safetensors", "use_fast",
)  # fmt: skip


_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")
_GPT2_NAMES = {  # the config of GPT-2 -> the names that the configs of all others have for the same
    "n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads",
    "n_positions": "max_position_embeddings",
}  # fmt: skip


class PreTrainedModel(nn.Module):
    """A model of `models/` with the library's call in place of its own: each class below is mixed into one of those.

    So names of parameters, `hidden`, `generate` and the rest are the model's; `forward` takes and gives what the
    library's does, and reaches the model's own as `self.plain(...)`.
    """

    kinds: ClassVar[dict[str, str]] = {}  # model_type -> the class in models/ (empty: its language model)

    @classmethod
    def from_pretrained(cls, folder: Any, **changes: Any) -> Any:
        """The model in a folder; changes such as num_labels=3 override its config. New heads are said on stderr."""
        from minigrad import io

        changes = {name: value for name, value in changes.items() if name not in _UNUSED}
        if "num_labels" in changes:
            changes.setdefault("id2label", {i: f"LABEL_{i}" for i in range(changes["num_labels"])})
        config = io.read_config(folder)
        model_type = io.model_type_of(config)
        if model_type not in cls.kinds:
            known = ", ".join(cls.kinds)
            raise ValueError(f"{cls.__name__} reads folders of type {known}; {folder} holds a {model_type!r}")
        model = models("pretrained").load_model(folder, cls.kinds[model_type] or None, **changes)
        if fresh := getattr(model, "fresh", []):
            print(
                f"{cls.__name__}: not in {folder}, and new: {', '.join(fresh)}. Train the model before you use it.",
                file=sys.stderr,
            )
        return cls._mixed(model, {**config, **changes})

    @classmethod
    def _mixed(cls, model: Any, config: dict[str, Any]) -> Any:
        from minigrad import io

        plain = type(model)
        name = plain.published or plain.__name__
        model.__class__ = type(name, (cls, plain), {"plain": plain.forward, "__module__": cls.__module__})
        known = {**config, **model.to_config(), "model_type": model.model_type}
        if hasattr(model.config, "num_labels"):
            named = io.labels_of(config) or [f"LABEL_{i}" for i in range(model.config.num_labels)]
            known |= {"id2label": dict(enumerate(named)), "label2id": {name: i for i, name in enumerate(named)}}
        known |= {other: known[key] for key, other in _GPT2_NAMES.items() if key in known}
        for name, value in known.items():  # programs read the sizes, and what `generate` asks for, by these names
            if not hasattr(model.config, name):
                setattr(model.config, name, value)
        return model

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """A fresh model of the sizes that a config says."""
        values = dict(vars(config)) if isinstance(config, Config) else dict(config)
        model_type = values.get("model_type")
        if model_type not in cls.kinds:
            raise ValueError(f"{cls.__name__} makes models of type {', '.join(cls.kinds)}, got {model_type!r}")
        module = models(models("pretrained").ARCHITECTURES[model_type])
        kind = getattr(module, cls.kinds[model_type]) if cls.kinds[model_type] else module.LANGUAGE_MODEL
        return cls._mixed(kind.from_config(values), values)

    def save_pretrained(self, folder: Any, **how: Any) -> None:
        """Write config.json, with the labels' names, and model.safetensors; `how` to write them is settled here."""
        labels = getattr(self.config, "id2label", None)
        self.save(folder, labels=labels and [labels[i] for i in range(len(labels))])

    def to_config(self) -> dict[str, Any]:
        """The model's own, and the special tokens that `generate` asks for."""
        special = {name: getattr(self.config, name, None) for name in _SPECIAL}
        return {**{name: token for name, token in special.items() if token is not None}, **super().to_config()}  # type: ignore[misc]

    @property
    def generation_config(self) -> Any:
        """The config: minigrad's models have one for all, in which `generate` finds pad_token_id and eos_token_id."""
        return self.config

    @property
    def device(self) -> Any:
        return next(self.parameters()).device

    def num_parameters(self, only_trainable: bool = False) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)


class Config:
    """What config.json says, as attributes."""

    def __init__(self, **values: Any):
        self.__dict__.update(values)

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class AutoConfig:
    """`AutoConfig.from_pretrained(folder)`: the contents of config.json."""

    @classmethod
    def from_pretrained(cls, folder: Any, **changes: Any) -> Config:
        from minigrad import io

        return Config(**{**io.read_config(folder), **changes})


def _refuse(**unsupported: Any) -> None:
    given = [name for name, value in unsupported.items() if value not in (None, False)]
    if given:
        raise NotImplementedError(f"minigrad's models do not take {', '.join(given)}")


class BertModel(PreTrainedModel):
    """The bare encoder: `.last_hidden_state` (B, T, C) and `.pooler_output` (B, C)."""

    kinds: ClassVar[dict[str, str]] = {"bert": "Bert"}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        return_dict: bool | None = None, **others: Any,
    ) -> Any:  # fmt: skip
        _refuse(**others)
        hidden, pooled = self.plain(input_ids, attention_mask, token_type_ids)
        return _outputs(return_dict, last_hidden_state=hidden, pooler_output=pooled)


class _Labelled(PreTrainedModel):
    """`model(input_ids, attention_mask, token_type_ids, labels=...)`: `.loss` and `.logits`."""

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        labels: Tensor | None = None, return_dict: bool | None = None,
    ) -> Any:  # fmt: skip
        logits, loss = self.plain(input_ids, attention_mask, token_type_ids, labels)
        return _outputs(return_dict, loss=loss, logits=logits)


class BertForSequenceClassification(_Labelled):
    """`labels` (B,); a column (B, 1) of them will do."""

    kinds: ClassVar[dict[str, str]] = {"bert": "BertForSequenceClassification"}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        labels: Tensor | None = None, return_dict: bool | None = None,
    ) -> Any:  # fmt: skip
        labels = None if labels is None else labels.view(-1)
        return super().forward(input_ids, attention_mask, token_type_ids, labels, return_dict)


class BertForTokenClassification(_Labelled):
    kinds: ClassVar[dict[str, str]] = {"bert": "BertForTokenClassification"}


class BertForQuestionAnswering(PreTrainedModel):
    """`.start_logits` and `.end_logits`, (B, T) each."""

    kinds: ClassVar[dict[str, str]] = {"bert": "BertForQuestionAnswering"}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        start_positions: Tensor | None = None, end_positions: Tensor | None = None, return_dict: bool | None = None,
    ) -> Any:  # fmt: skip
        logits, loss = self.plain(input_ids, attention_mask, token_type_ids, start_positions, end_positions)
        return _outputs(return_dict, loss=loss, start_logits=logits[:, :, 0], end_logits=logits[:, :, 1])


class BertForPreTraining(PreTrainedModel):
    """`.prediction_logits` (B, T, V) and `.seq_relationship_logits` (B, 2); with labels the words that they ask for."""

    kinds: ClassVar[dict[str, str]] = {"bert": "BertForPreTraining"}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        labels: Tensor | None = None, next_sentence_label: Tensor | None = None, return_dict: bool | None = None,
    ) -> Any:  # fmt: skip
        arguments = (input_ids, attention_mask, token_type_ids, labels, next_sentence_label)
        (words, follows), loss = self.plain(*arguments)
        return _outputs(return_dict, loss=loss, prediction_logits=words, seq_relationship_logits=follows)


class AutoModelForCausalLM(PreTrainedModel):
    """A language model: `.logits` (B, T, V); with labels (usually input_ids) `.loss` of each token by those before."""

    kinds: ClassVar[dict[str, str]] = {"gpt2": "", "llama": ""}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None,
        return_dict: bool | None = None, use_cache: bool | None = None,
    ) -> Any:  # fmt: skip
        logits = self.lm_head(self.hidden(input_ids, mask=attention_mask))
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return _outputs(return_dict, loss=loss, logits=logits)

    def generate(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, *, inputs: Tensor | None = None,
        max_new_tokens: int | None = None, max_length: int | None = None, do_sample: bool = False,
        temperature: float = 1.0, top_k: int | None = 50, top_p: float = 1.0, num_beams: int = 1,
        repetition_penalty: float = 1.0, length_penalty: float = 1.0, pad_token_id: int | None = None,
        eos_token_id: Any = None, suppress_tokens: Any = None, use_cache: bool = True,
        num_return_sequences: int = 1, **others: Any,
    ) -> Tensor:  # fmt: skip
        """(B, T + new) tokens, the prompt first. Greedy, unless do_sample or num_beams say otherwise; at most 20 new
        ones that fit the context, unless told, as in the library.
        """
        unused = {
            name: others.pop(name, None) for name in ("early_stopping", "return_dict_in_generate", "token_type_ids")
        }
        _refuse(**others, return_dict_in_generate=unused["return_dict_in_generate"])
        tokens = input_ids if input_ids is not None else inputs
        if tokens is None:
            raise ValueError("generate needs input_ids: tokenizer(text, return_tensors='pt').input_ids")
        if num_return_sequences > 1:
            if not do_sample:
                raise ValueError("num_return_sequences above 1 needs do_sample=True: greedy ones would all be equal")
            tokens = tokens.repeat_interleave(num_return_sequences, 0)
            if attention_mask is not None:
                attention_mask = attention_mask.repeat_interleave(num_return_sequences, 0)
        if do_sample and num_beams > 1:
            raise NotImplementedError("beam search draws nothing here: leave out do_sample=True, or num_beams")
        if max_new_tokens is None and max_length is None:
            max_new_tokens = max(1, min(20, self.context - tokens.shape[1]))
        if pad_token_id is None:
            pad_token_id = getattr(self.config, "pad_token_id", None)
        ends = eos_token_id if eos_token_id is not None else getattr(self.config, "eos_token_id", None)
        stops = () if ends is None else tuple(ends) if isinstance(ends, (list, tuple)) else (ends,)
        return models("generation").generate(
            self, tokens, max_new_tokens, max_length=None if max_new_tokens is not None else max_length,
            mask=attention_mask, temperature=temperature if do_sample else 0.0, top_k=top_k or None, top_p=top_p,
            repetition_penalty=repetition_penalty, num_beams=num_beams, length_penalty=length_penalty,
            stop_tokens=stops, suppress_tokens=suppress_tokens or (), pad_token=pad_token_id, use_cache=use_cache,
        )  # fmt: skip


class GPT2LMHeadModel(AutoModelForCausalLM):
    kinds: ClassVar[dict[str, str]] = {"gpt2": ""}


class LlamaForCausalLM(AutoModelForCausalLM):
    kinds: ClassVar[dict[str, str]] = {"llama": ""}


class AutoModelForSequenceClassification(BertForSequenceClassification):
    pass


class AutoModelForTokenClassification(BertForTokenClassification):
    pass


class AutoModelForQuestionAnswering(BertForQuestionAnswering):
    pass


class AutoModel(PreTrainedModel):
    """The bare model of a folder: a BertModel, or a decoder whose `.last_hidden_state` comes before the vocabulary."""

    kinds: ClassVar[dict[str, str]] = {"bert": "Bert", "gpt2": "", "llama": ""}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, return_dict: bool | None = None, **others: Any
    ) -> Any:
        if self.model_type == "bert":
            how = {"return_dict": return_dict, **others}
            return BertModel.forward(self, input_ids, attention_mask, **how)  # type: ignore[arg-type]
        _refuse(**others)
        return _outputs(return_dict, last_hidden_state=self.hidden(input_ids, mask=attention_mask))


# ---------------------------------------------------------------- training


def get_linear_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """The learning rate grows from 0 in `num_warmup_steps`, then falls on a straight line to 0."""

    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return step / max(1, num_warmup_steps)
        return max(0.0, (num_training_steps - step) / max(1, num_training_steps - num_warmup_steps))

    return LambdaLR(optimizer, factor, last_epoch)


def get_constant_schedule(optimizer: Any, last_epoch: int = -1) -> LambdaLR:
    """The learning rate as it is."""
    return LambdaLR(optimizer, lambda step: 1.0, last_epoch)


def set_seed(seed: int) -> None:
    """Seed Python's, NumPy's and minigrad's generators."""
    import random

    import numpy as np

    from minigrad import random as ours

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  programs draw from it
    ours.manual_seed(seed)


def __getattr__(name: str) -> Any:
    known = ", ".join(sorted(name for name in globals() if name[0].isupper()))
    raise AttributeError(f"minigrad has no transformers.{name}; it has {known}")
