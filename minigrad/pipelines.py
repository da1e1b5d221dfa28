"""From a saved folder to answers: weights, config, tokenizer and labels in, a function of text out.

    classify = minigrad.pipeline("runs/classifier/model")
    classify("a charming film")             # {"label": "positive", "score": 0.98, "probabilities": {...}}
    classify(["dull", "a delight"])         # a list of them

    write = minigrad.pipeline("gpt2/")
    write("Once upon a time", max_new_tokens=50, temperature=0.8, top_k=50)
    for piece in write.stream("Once upon a time", max_new_tokens=50): print(piece, end="", flush=True)

Which of the classes below it is says the folder's config.json; `pipe.task` names it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from minigrad.architectures import models
from minigrad.creation import tensor
from minigrad.grad_mode import no_grad
from minigrad.tensor import Tensor


def pipeline(folder: str | Path, *, device: Any = None, batch_size: int = 32) -> "Pipeline":
    """A callable for the model that a folder holds, whatever wrote it: minigrad, or others in Hugging Face's layout.

    Raises FileNotFoundError for a folder or file that is missing, ValueError for an architecture that is unknown or
    does nothing that can be called with text, and for a tokenizer that does not fit the model; RuntimeError for
    weights that do not.
    """
    from minigrad import io
    from minigrad.text import load_tokenizer

    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    model = models("pretrained").load_model(folder)
    if model.task not in TASKS:
        raise ValueError(
            f"{folder} holds a {type(model).__name__}, which a pipeline has no use for: fine-tune it for one of the "
            f"tasks {', '.join(TASKS)} first"
        )
    tokenizer = load_tokenizer(folder)
    vocabulary = model.config.vocab_size
    if len(tokenizer) > vocabulary:
        raise ValueError(
            f"the tokenizer in {folder} knows {len(tokenizer)} tokens, the model's embedding has {vocabulary} rows: "
            "they do not belong together"
        )
    labels = io.labels_of(io.read_config(folder))
    return TASKS[model.task](model if device is None else model.to(device), tokenizer, labels, batch_size)


class Pipeline:
    """A model, its tokenizer and what it makes of text. `max_length` is the longest input in tokens, None for any."""

    task = ""

    def __init__(self, model: Any, tokenizer: Any, labels: list[str] | None, batch_size: int):
        self.model, self.tokenizer, self.labels, self.batch_size = model.eval(), tokenizer, labels, batch_size
        self.device = next(model.parameters()).device
        config = model.config
        limit = getattr(config, "max_position_embeddings", None) or getattr(model, "context", None)
        known = getattr(tokenizer, "model_max_length", None)
        self.max_length = min((int(n) for n in (limit, known) if n), default=None)
        if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
            tokenizer.pad_token = tokenizer.eos_token  # masked everywhere, so any token will do

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.model).__name__}, {len(self.tokenizer)} tokens, on {self.device})"

    def batches(self, texts: Sequence[str]) -> Iterator[Sequence[str]]:
        for start in range(0, len(texts), self.batch_size):
            yield texts[start : start + self.batch_size]

    def encode(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, **options: Any
    ) -> tuple[list[Tensor], Any]:
        """([tokens, mask, segments where the model has them], the whole encoding), padded to one length."""
        found = self.tokenizer(
            list(texts), None if pairs is None else list(pairs), padding=True, truncation=self.max_length is not None,
            max_length=self.max_length, return_tensors="mg", **options,
        )  # fmt: skip
        names = ["input_ids", "attention_mask"]
        if "token_type_ids" in found and getattr(self.model.config, "type_vocab_size", 0) > 1:
            names.append("token_type_ids")
        return [found[name].to(self.device) for name in names], found


def _as_list(text: Any) -> tuple[list[str], bool]:
    """(texts, whether there was one alone); TypeError for what is no text."""
    alone = isinstance(text, str)
    if not hasattr(text, "__iter__"):
        raise TypeError(f"a pipeline takes a text or a list of texts, got a {type(text).__name__}")
    texts = [text] if alone else list(text)
    for i, each in enumerate(texts):
        if not isinstance(each, str):
            raise TypeError(f"a pipeline takes a text or a list of texts; entry {i} is a {type(each).__name__}")
    return texts, alone


class Classify(Pipeline):
    """`classify(text or texts)`: {"label", "score": its probability, "probabilities": {label: p}} for each text.

    Texts longer than the model's context are cut; an empty text is classified as such.
    """

    task = "classify"

    def __call__(self, text: Any) -> Any:
        texts, alone = _as_list(text)
        found = []
        for batch in self.batches(texts):
            inputs, _ = self.encode([each or " " for each in batch])
            for row in self.model.probabilities(*inputs).tolist():
                best = max(range(len(row)), key=row.__getitem__)
                names = [self.name(i) for i in range(len(row))]
                found.append(
                    {"label": names[best], "score": row[best], "probabilities": dict(zip(names, row, strict=True))}
                )
        return found[0] if alone else found

    def name(self, i: int) -> str:
        return self.labels[i] if self.labels and i < len(self.labels) else f"LABEL_{i}"


class Tag(Classify):
    """`tag(text or texts)`: for each text a list of {"token", "label", "score", "start", "end"}: places in the text."""

    task = "tag"

    @no_grad()
    def __call__(self, text: Any) -> Any:
        texts, alone = _as_list(text)
        found: list[list[dict[str, Any]]] = []
        for batch in self.batches(texts):
            inputs, encoding = self.encode(batch, return_offsets_mapping=True)
            logits, _ = self.model(*inputs)
            probabilities = logits.softmax(-1).tolist()
            for i, each in enumerate(batch):
                rows = zip(
                    probabilities[i], encoding["attention_mask"][i].tolist(), encoding["offset_mapping"][i], strict=True
                )
                tags = []
                for row, real, (start, end) in rows:
                    if real and end > start:
                        best = max(range(len(row)), key=row.__getitem__)
                        tags.append(
                            {"token": each[int(start) : int(end)], "label": self.name(best), "score": row[best],
                             "start": int(start), "end": int(end)}
                        )  # fmt: skip
                found.append(tags)
        return found[0] if alone else found


class Answer(Pipeline):
    """`answer(question=..., context=...)`: {"answer", "score", "start", "end"}: the likeliest span of the context.

    A context too long for the model is read in windows that overlap by half.
    """

    task = "answer"

    @no_grad()
    def __call__(self, question: str, context: str, longest: int = 30) -> dict[str, Any]:
        if not (isinstance(question, str) and question.strip() and isinstance(context, str) and context.strip()):
            raise ValueError(
                "answer needs a question and a context to find the answer in, both texts that are not empty"
            )
        best: dict[str, Any] = {"answer": "", "score": -1.0, "start": 0, "end": 0}
        for shift, window in self.windows(question, context):
            inputs, encoding = self.encode([question], [window], return_offsets_mapping=True)
            logits, _ = self.model(*inputs)
            spans = encoding["offset_mapping"][0]
            segments = encoding["token_type_ids"][0].tolist()
            inside = [int(s == 1 and end > start) for s, (start, end) in zip(segments, spans, strict=True)]
            start, end, score = models("bert").best_span(logits, tensor([inside], device=self.device), longest)[0]
            if score > best["score"]:
                first, last = shift + int(spans[start][0]), shift + int(spans[end][1])
                best = {"answer": context[first:last], "score": score, "start": first, "end": last}
        return best

    def windows(self, question: str, context: str) -> Iterator[tuple[int, str]]:
        """(where it begins, text): parts of the context that fit beside the question."""
        if self.max_length is None:
            yield 0, context
            return
        taken = len(self.tokenizer.encode(question)) + 1  # and the mark at the end of the context
        room = self.max_length - taken
        if room < 1:
            raise ValueError(
                f"the question has {taken} tokens with its marks, the model reads {self.max_length} at most"
            )
        spans = self.tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        for begin in range(0, max(len(spans) - room // 2, 1), max(room // 2, 1)):
            part = spans[begin : begin + room]
            yield int(part[0][0]), context[int(part[0][0]) : int(part[-1][1])]
            if begin + room >= len(spans):
                break


def never_written(tokenizer: Any, vocabulary: int = 0) -> tuple[int, ...]:
    """The token for unknown words, which says nothing to a reader; GPT-2's ends a text as well, and may be written.

    And the rows that an embedding of `vocabulary` tokens has beyond the tokenizer's: they have no text.
    """
    unknown = tokenizer.unk_token_id
    silent = () if unknown in (None, tokenizer.eos_token_id, tokenizer.sep_token_id) else (unknown,)
    return (*silent, *range(len(tokenizer), vocabulary))


class Write(Pipeline):
    """`write(text or texts, max_new_tokens=50, temperature=0, ...)`: each text and what follows it.

    The settings are those of `models.generation.generate`; without any the likeliest token is taken each time. Unless
    `suppress_tokens` says otherwise, the token for unknown words is never written.
    `write.stream` yields the new text of one prompt piece by piece.
    """

    task = "write"

    def settings(self, given: dict[str, Any]) -> dict[str, Any]:
        tokenizer = self.tokenizer
        stops = [t for t in (tokenizer.eos_token_id, tokenizer.sep_token_id) if t is not None]
        chosen = {"temperature": 0.0, "stop_tokens": stops, "pad_token": tokenizer.pad_token_id,
                  "suppress_tokens": never_written(tokenizer, self.model.config.vocab_size), **given}  # fmt: skip
        if "max_new_tokens" not in chosen and "max_length" not in chosen:
            chosen["max_new_tokens"] = 50
        return chosen

    def prompt(self, text: str) -> list[int]:
        """The tokens of a prompt without the mark that would end it; of an empty one the token that begins a text."""
        tokenizer = self.tokenizer
        ids = list(tokenizer.encode(text))
        while ids and ids[-1] in (tokenizer.eos_token_id, tokenizer.sep_token_id):
            ids.pop()
        if not ids:
            first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
            if first is None:
                raise ValueError(
                    "the prompt is empty, and this tokenizer has no token that begins a text: give a prompt"
                )
            ids = [first]
        return ids

    def __call__(self, text: Any, **how: Any) -> Any:
        texts, alone = _as_list(text)
        settings, written = self.settings(how), []
        for batch in self.batches(texts):
            rows = [self.prompt(each) for each in batch]
            tokens, mask = self.side_by_side(rows)
            for row, prompt in zip(self.model.generate(tokens, mask=mask, **settings).tolist(), rows, strict=True):
                ids = row[tokens.size(1) - len(prompt) :]
                written.append(
                    self.tokenizer.decode(self.until_stop(ids, len(prompt), settings), skip_special_tokens=True)
                )
        return written[0] if alone else written

    def side_by_side(self, prompts: list[list[int]]) -> tuple[Tensor, Tensor]:
        """(tokens, mask), both (B, T): prompts padded on the left, so that all end where the new text begins."""
        longest, filler = max(map(len, prompts)), self.tokenizer.pad_token_id or 0
        tokens = [[filler] * (longest - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        return tensor(tokens, device=self.device), tensor(mask, device=self.device)

    def until_stop(self, ids: list[int], start: int, settings: dict[str, Any]) -> list[int]:
        """Without what stands behind the first stop token after `start`: padding, which may be a real token."""
        stops = set(settings["stop_tokens"])
        return next((ids[:i] for i in range(start, len(ids)) if ids[i] in stops), ids)

    def stream(self, text: str, **how: Any) -> Iterator[str]:
        """The new text piece by piece, as it comes."""
        from minigrad.text import Streamer

        settings = self.settings(how)
        generation = models("generation")
        if settings.pop("num_beams", 1) != 1:
            raise ValueError("beam search knows its text only at the end: call write(...) instead of write.stream(...)")
        names = ("temperature", "top_k", "top_p", "repetition_penalty", "suppress_tokens")
        sampling = generation.Sampling(**{name: settings.pop(name) for name in names if name in settings})
        prompt = self.prompt(text)
        new = generation.stream(self.model, tensor([prompt], device=self.device), sampling=sampling, **settings)
        streamer = Streamer(self.tokenizer, prompt=prompt)
        for token in new:
            if int(token) in settings["stop_tokens"]:
                break
            piece = streamer.put(int(token))
            if piece:
                yield piece
        rest = streamer.end()
        if rest:
            yield rest


class Translate(Pipeline):
    """`translate(text or texts, num_beams=4)`: what the decoder writes for each text."""

    task = "translate"

    def __call__(self, text: Any, **how: Any) -> Any:
        texts, alone = _as_list(text)
        written, config = [], self.model.config
        marks = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        for batch in self.batches(texts):
            rows = [[t for t in self.tokenizer.encode(each) if t not in marks] + [config.end_token] for each in batch]
            longest = max(map(len, rows))
            tokens = tensor([row + [config.pad_token] * (longest - len(row)) for row in rows], device=self.device)
            mask = tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
            for row in self.model.generate(tokens, mask, **{"num_beams": 4, **how}).tolist():
                written.append(self.tokenizer.decode(row, skip_special_tokens=True).strip())
        return written[0] if alone else written


TASKS: dict[str, type[Pipeline]] = {kind.task: kind for kind in (Classify, Tag, Answer, Write, Translate)}
