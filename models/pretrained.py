"""Saving a model to a folder in Hugging Face's layout, and loading it again.

The folder holds `config.json` (sizes, and `model_type`, the architecture's name), the weights in `model.safetensors`
(or several files and an index), under the names that the published weights of that architecture have, and what
inference needs besides: the tokenizer's files, and the names of the labels in `config.json`.
"""

import importlib
from pathlib import Path
from typing import Any, ClassVar, Self

import minigrad as mg
from minigrad import nn

ARCHITECTURES = {  # model_type in config.json -> the file here
    "bert": "bert",
    "gpt2": "gpt",
    "llama": "llama",
    "rnn": "rnn",
    "text_classifier": "text_classifier",
    "transformer": "transformer",
}


class Pretrained(nn.Module):
    """A model that a folder can hold. A subclass names its `model_type` and turns its config into a dict and back."""

    model_type: ClassVar[str]
    published: ClassVar[str] = ""  # the class's name in Hugging Face's library, where that is another
    task: ClassVar[str] = ""  # what `minigrad.pipeline` does with it: write, translate, classify, tag, answer
    config: Any

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A fresh model of the sizes in a `config.json`."""
        raise NotImplementedError

    def to_config(self) -> dict[str, Any]:
        """What `config.json` says of this model, with Hugging Face's keys."""
        raise NotImplementedError

    def to_state(self) -> dict[str, mg.Tensor]:
        """The tensors as the folder has them, by their published names."""
        return self.state_dict()

    def load_state(self, state: dict[str, mg.Tensor]) -> None:
        """Take the tensors of a folder; RuntimeError that names what is missing, left over, or of another shape."""
        from minigrad import io

        io.load_into(self, state)

    def save(self, folder: str | Path, tokenizer: Any = None, labels: list[str] | None = None) -> None:
        """Write config, weights, the tokenizer's files and the labels' names into a folder."""
        from minigrad import io

        config = {
            "model_type": self.model_type,
            "architectures": [self.published or type(self).__name__],
            **self.to_config(),
        }
        io.write_folder(folder, config, self.to_state(), labels=labels)
        if tokenizer is not None:
            tokenizer.save(folder)

    @classmethod
    def load(cls, folder: str | Path, **changes: Any) -> Self:
        """The model in a folder, ready for inference; `changes` override entries of its config.

        Raises FileNotFoundError where the folder or a file of it is missing, ValueError for another architecture,
        RuntimeError for tensors that do not fit.
        """
        from minigrad import io

        config, state = io.read_folder(folder)
        found = io.model_type_of(config)
        if found != cls.model_type:
            raise ValueError(f"{folder} holds a model of type {found!r}, {cls.__name__} reads {cls.model_type!r}")
        model = cls.from_config({**config, **changes})
        model.load_state(state)
        return model.eval()


def load_model(folder: str | Path, kind: str | None = None, **changes: Any) -> "Pretrained":
    """The model in a folder, ready for inference, as the class that its config names, or as `kind`.

    Of GPT-2 and Llama there is one class, whatever head the folder was saved with. Raises as `Pretrained.load`, and
    ValueError for an architecture that is not in this folder of models.
    """
    from minigrad import io

    config = io.read_config(folder)
    model_type = io.model_type_of(config)
    if model_type not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ValueError(f"unknown architecture: model_type is {model_type!r} in config.json, known are {known}")
    module = importlib.import_module(f".{ARCHITECTURES[model_type]}", __package__)
    named = kind or next(iter(config.get("architectures") or ()), None)
    classes = {
        name: value
        for own, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Pretrained) and value.__module__ == module.__name__
        for name in {own, value.published or own}
    }
    if hasattr(module, "LANGUAGE_MODEL"):
        return module.LANGUAGE_MODEL.load(folder, **changes)
    if named not in classes:
        listed = ", ".join(sorted(name for name in classes if name != "BertBase"))
        raise ValueError(f"{folder} holds a {model_type!r} of the class {named!r}; known are {listed}")
    return classes[named].load(folder, **changes)


def load_decoder(folder: str | Path) -> Any:
    """The language model in a folder, whatever its architecture: a GPT-2, a Llama, an RNN."""
    model = load_model(folder)
    if model.task != "write":
        raise ValueError(f"{folder} holds a {type(model).__name__}, which does not write text")
    return model
