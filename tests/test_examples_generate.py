"""generate.py, as a user runs it: folders and llama2.c files, examples before a query, and wrong input."""

import os
import subprocess
import sys

import pytest

import minigrad as mg
from minigrad import text
from models.gpt import GPT, GPTConfig

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
STORIES = os.path.join(os.environ.get("MINIGRAD_DATA", ""), "weights", "stories260K", "stories260K.bin")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    mg.manual_seed(0)
    tokenizer, path = text.ByteTokenizer(), tmp_path_factory.mktemp("model")
    GPT(GPTConfig(len(tokenizer), block_size=96, n_layer=1, n_head=2, n_embd=8)).save(path, tokenizer)
    return str(path)


def run(*arguments, stdin=""):
    command = [sys.executable, os.path.join(ROOT, "examples", "generate.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, input=stdin)


def test_prompts_in_any_script_and_from_the_standard_input(folder):
    done = run(folder, "床前明月光", "--max-new-tokens", 4, "--temperature", 0.8, "--top-k", 50, "--top-p", 0.95)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("床前明月光") and "4 tokens in" in done.stderr
    again = run(folder, "--max-new-tokens", 4, "--top-k", 50, "--top-p", 0.95, stdin="床前明月光\n")
    assert again.stdout == done.stdout  # the same seed
    uncached = run(folder, "床前", "--max-new-tokens", 3, "--temperature", 0, "--no-cache")
    assert uncached.stdout == run(folder, "床前", "--max-new-tokens", 3, "--temperature", 0).stdout
    between = run(folder, "--max-new-tokens", 4, "--temperature", 0.8, "--top-k", 50, "--top-p", 0.95, "床前明月光")
    assert between.stdout == done.stdout  # flags may come first, as the help's own lines have them
    assert run(folder, "a", "--beams", 3, "--max-new-tokens", 3).stdout.startswith("a")


def test_shots_come_before_the_query(folder, tmp_path):
    shots = tmp_path / "shots.txt"
    shots.write_text("a fine film\tgood\n\ndull\tbad\n", encoding="utf-8")
    done = run(folder, "great", "--shots", shots, "--max-new-tokens", 2)
    assert done.stdout.startswith("a fine film => good\ndull => bad\ngreat =>"), done.stderr
    shots.write_text("no answer here\n", encoding="utf-8")
    broken = run(folder, "great", "--shots", shots)
    assert broken.returncode == 1 and "line 1: expected 'text<TAB>answer', got 'no answer here'" in broken.stderr


@pytest.mark.skipif(not os.path.exists(STORIES), reason="MINIGRAD_DATA has no weights")
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_llama2c_file_with_its_tokenizer_beside_it(dtype):
    done = run(STORIES, "Once upon a time", "--temperature", 0, "--max-new-tokens", 16, "--dtype", dtype)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Once upon a time, there was a little girl named Lily.")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--temperature", "-1"], "--temperature must be 0 or a positive number, got -1.0"),
        (["--top-k", "0"], "top_k must be at least 1, got 0"),
        (["--beams", "0"], "--beams must be at least 1, got 0"),
        (["--max-new-tokens", "500"], "longer than the model's context of 96"),
        (["--max-new-tokens", "-1"], "max_new_tokens must be 0 or more"),
        (["--device", "tpu"], "cpu, cuda"),
        (["--dtype", "int3"], "invalid choice: 'int3'"),
    ],
)
def test_wrong_input_ends_with_a_sentence(folder, flags, message):
    done = run(folder, "a", *flags)
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr


def test_missing_models_and_foreign_tokenizers(folder, tmp_path):
    absent = run(tmp_path / "none", "a")
    assert absent.returncode == 1 and "there is no folder" in absent.stderr and "Traceback" not in absent.stderr
    text.WordTokenizer.from_texts([" ".join(f"w{i}" for i in range(400))]).save(tmp_path / "words")
    foreign = run(folder, "w399", "--tokenizer", tmp_path / "words")
    assert foreign.returncode == 1 and "they do not fit together" in foreign.stderr
    empty = run(folder, "", "--max-new-tokens", 2)
    assert empty.returncode == 0 or "prompt is empty" in empty.stderr
