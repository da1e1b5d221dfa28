"""`transformers.pipeline` for a folder: what `minigrad.pipeline` makes of it, in the form that the library returns."""

from pathlib import Path
from typing import Any

_TASKS = {
    "text-classification": "classify",
    "sentiment-analysis": "classify",
    "token-classification": "tag",
    "ner": "tag",
    "question-answering": "answer",
    "text-generation": "write",
    "translation": "translate",
    "summarization": "translate",
}


def pipeline(task: str | None = None, model: Any = None, **options: Any) -> Any:
    """`pipeline(task, model=folder)`: a function of text, whose results have the library's form.

    text-classification    [{"label", "score"}], one for each text; all labels with top_k=None
    token-classification   [{"entity", "score", "word", "start", "end"}], a list of them for each of several texts
    question-answering     {"answer", "score", "start", "end"}
    text-generation        [{"generated_text"}], a list of them for each of several texts; greedy without do_sample
    translation            [{"translation_text"}], and [{"summary_text"}] of a summarization

    Raises ValueError where the folder's model is for another task.
    """
    from minigrad.pipelines import pipeline as of_folder

    if model is None:
        raise ValueError(f"pipeline({task!r}) needs model=, a folder: minigrad downloads no models")
    if not isinstance(model, (str, Path)):
        raise TypeError(
            f"pipeline takes the path of a folder, got a {type(model).__name__}: write model and tokenizer "
            "there first, with save_pretrained"
        )
    if task is not None and task not in _TASKS:
        raise ValueError(f"unknown task {task!r}; known are {', '.join(_TASKS)}")
    pipe = of_folder(model, **{k: v for k, v in options.items() if k in ("device", "batch_size")})
    if task is not None and _TASKS[task] != pipe.task:
        fitting = " or ".join(name for name, own in _TASKS.items() if own == pipe.task)
        raise ValueError(f"{model} holds a {type(pipe.model).__name__}, which is for {fitting}, not for {task}")
    return _Library(pipe, "summary_text" if task == "summarization" else "translation_text")


class _Library:
    """A pipeline with the results of the library."""

    def __init__(self, pipe: Any, written: str):
        self.pipe, self.written = pipe, written
        self.model, self.tokenizer, self.task = pipe.model, pipe.tokenizer, pipe.task

    def __call__(self, *texts: Any, **how: Any) -> Any:
        return getattr(self, f"_{self.task}")(*texts, **how)

    def _classify(self, text: Any, top_k: int | None = 1) -> Any:
        rows = self.pipe([text] if isinstance(text, str) else text)
        ordered = [sorted(row["probabilities"].items(), key=lambda pair: -pair[1]) for row in rows]
        named = [[{"label": label, "score": p} for label, p in row[:top_k]] for row in ordered]
        if top_k == 1:
            return [row[0] for row in named]
        return named[0] if isinstance(text, str) else named

    def _tag(self, text: Any) -> Any:
        rows = self.pipe([text] if isinstance(text, str) else text)
        named = [
            [{"entity": t["label"], "score": t["score"], "word": t["token"], "start": t["start"], "end": t["end"]}
             for t in row]
            for row in rows
        ]  # fmt: skip
        return named[0] if isinstance(text, str) else named

    def _answer(self, question: str, context: str) -> Any:
        return self.pipe(question=question, context=context)

    def _write(self, text: Any, do_sample: bool = False, temperature: float = 1.0, **how: Any) -> Any:
        drawn = self.pipe(
            [text] if isinstance(text, str) else text, temperature=temperature if do_sample else 0.0, **how
        )
        named = [[{"generated_text": each}] for each in drawn]
        return named[0] if isinstance(text, str) else named

    def _translate(self, text: Any, **how: Any) -> Any:
        return [{self.written: each} for each in self.pipe([text] if isinstance(text, str) else text, **how)]
