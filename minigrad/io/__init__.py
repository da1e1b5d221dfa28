"""Weights from elsewhere, and for elsewhere: safetensors files and folders in the layout of Hugging Face.

    config, state = minigrad.io.read_folder("gpt2/")                 # config.json and all tensors, by name
    minigrad.io.load_into(model, state, prefix="transformer.", transpose=("*.c_attn.weight", "*.c_proj.weight"))
    minigrad.io.write_folder("tuned/", config, model.state_dict())

Nothing here knows an architecture: which model a folder holds says `model_type_of(config)`, and how names and shapes
differ from the model's own says the model's file. Needs the package safetensors: pip install 'minigrad[hub]'.
"""

from minigrad.io.folders import labels_of, model_type_of, read_config, read_folder, read_weights, write_folder
from minigrad.io.matching import load_into
from minigrad.io.safetensors_files import drop_shared, load_safetensors, save_safetensors

__all__ = [
    "drop_shared",
    "labels_of",
    "load_into",
    "load_safetensors",
    "model_type_of",
    "read_config",
    "read_folder",
    "read_weights",
    "save_safetensors",
    "write_folder",
]
