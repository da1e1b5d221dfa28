"""Let a language model write: a prompt in, its continuation out, piece by piece as it comes.

    python examples/generate.py MODEL "Once upon a time"
    python examples/generate.py MODEL --temperature 0.8 --top-k 50 --top-p 0.95 "床前明月光"
    python examples/generate.py MODEL --shots examples.txt "great film"      labelled examples come before the query
    python examples/generate.py MODEL --beams 4 "The weather"

MODEL is a folder in Hugging Face's layout (GPT-2, Llama: config.json, weights, tokenizer), or a llama2.c file such as
stories260K.bin with its tokenizer beside it or under --tokenizer. Without a prompt on the command line it is read from
the standard input; an empty one starts from the model's first token. --dtype int8 or bfloat16 rounds the weights, which
makes a large model up to four times as fast. Ctrl-C stops the writing.

A --shots file has one example a line, "text<TAB>answer"; the query follows them in the same form.
"""

import argparse
import os
import sys
import time
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import training

import minigrad as mg
from minigrad.pipelines import never_written
from models.generation import Sampling, beam_search, stream
from models.llama import read_llama2c
from models.pretrained import load_decoder


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", help="a folder, or a llama2.c .bin file")
    p.add_argument("prompt", nargs="?", help="the beginning of the text (default: read from the standard input)")
    p.add_argument("--tokenizer", help="folder or file (default: beside the model)")
    p.add_argument("--shots", metavar="FILE", help="examples to put before the prompt, one 'text<TAB>answer' a line")
    p.add_argument("--max-new-tokens", type=int, default=200, help="how many to write (default: %(default)s)")
    p.add_argument("--temperature", type=float, default=0.8, help="0 takes the likeliest token (default: %(default)s)")
    p.add_argument("--top-k", type=int, help="draw among the k likeliest tokens only")
    p.add_argument("--top-p", type=float, help="draw among the likeliest tokens that hold this much probability")
    p.add_argument("--repetition-penalty", type=float, default=1.0, help="above 1 against loops (default: %(default)s)")
    p.add_argument("--beams", type=int, default=1, help="beam search instead of drawing (default: %(default)s)")
    p.add_argument("--slide", action="store_true", help="let the context move on where the text outgrows it")
    p.add_argument("--no-cache", action="store_true", help="compute all tokens again for each new one, to compare")
    p.add_argument("--dtype", choices=("float32", "bfloat16", "int8"), default="float32", help="of the weights")
    p.add_argument("--seed", type=int, default=1337, help="of what is drawn (default: %(default)s)")
    p.add_argument("--device", default=None, help="cpu or cuda (default: $MINIGRAD_DEVICE, else cpu)")
    p.add_argument("--threads", type=int, help="of the kernels (default: all)")
    args = p.parse_intermixed_args()  # flags may stand between MODEL and the prompt
    training.check_positive(p, args, "beams")
    return args


def load(path: str, tokenizer: str | None) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder or a llama2.c file."""
    from minigrad import text

    if os.path.isfile(path):
        model = read_llama2c(path)
        beside = tokenizer or next(
            (
                os.path.join(os.path.dirname(path), name)
                for name in sorted(os.listdir(os.path.dirname(path) or "."))
                if name.startswith("tok") and name.endswith(".bin")
            ),
            None,
        )
        if beside is None:
            raise FileNotFoundError(f"no tokenizer (tok*.bin) beside {path}; name one with --tokenizer")
        return model, text.load_tokenizer(beside)
    return load_decoder(path), text.load_tokenizer(tokenizer or path)


def with_shots(path: str, query: str) -> str:
    """The labelled examples of a file, one after the other, and the query in the same form, its answer left open."""
    lines = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            example, tab, answer = line.rstrip("\n").rpartition("\t")
            if not tab or not example or not answer:
                raise ValueError(f"{path}, line {number}: expected 'text<TAB>answer', got {line.rstrip()!r}")
            lines.append(f"{example} => {answer}")
    if not lines:
        raise ValueError(f"{path} holds no examples")
    return "\n".join([*lines, f"{query} =>"])


def encode(tokenizer: Any, vocabulary: int, prompt: str) -> list[int]:
    """The tokens of the prompt, behind the first token of texts where the tokenizer knows one."""
    ids = tokenizer.encode(prompt)
    while ids and ids[-1] in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        ids = ids[:-1]  # an end would end the text before it begins
    if not ids:
        first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if first is None:
            raise ValueError("the prompt is empty, and this tokenizer has no token that begins a text: give a prompt")
        ids = [first]
    if max(ids) >= vocabulary:
        raise ValueError(
            f"the tokenizer gives token {max(ids)}, the model's vocabulary has {vocabulary}: they do not fit together"
        )
    return ids


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    model, tokenizer = training.or_exit(lambda: load(args.model, args.tokenizer), "MODEL")
    prompt = sys.stdin.read().rstrip("\n") if args.prompt is None else args.prompt
    if args.shots:
        prompt = training.or_exit(lambda: with_shots(args.shots, prompt), "--shots")
    ids = training.or_exit(lambda: encode(tokenizer, model.config.vocab_size, prompt), "prompt")
    model = model.to(device)
    if args.dtype != "float32":
        print(mg.quantization.quantize(model, args.dtype), file=sys.stderr)
    tokens = mg.tensor([ids], device=device)
    stops = [token for token in (tokenizer.eos_token_id, tokenizer.sep_token_id) if token is not None]
    settings = {
        "max_new_tokens": args.max_new_tokens, "stop_tokens": stops, "use_cache": not args.no_cache,
        "slide": args.slide,
    }  # fmt: skip

    never = never_written(tokenizer, model.config.vocab_size)

    def write() -> int:
        if args.beams > 1:
            found = beam_search(
                model, tokens, num_beams=args.beams, repetition_penalty=args.repetition_penalty, suppress_tokens=never,
                **settings,
            )  # fmt: skip
            print(tokenizer.decode(found[0].tolist(), skip_special_tokens=True))
            return found.size(1) - tokens.size(1)
        sampling = Sampling(args.temperature, args.top_k, args.top_p, args.repetition_penalty, never)
        return show(tokenizer, ids, (int(t) for t in stream(model, tokens, sampling=sampling, **settings)))

    started = time.perf_counter()
    try:
        count = training.or_exit(write, "generate")
    except KeyboardInterrupt:
        print()
        sys.exit(130)
    seconds = time.perf_counter() - started
    print(f"{count} tokens in {seconds:.1f} s, {count / max(seconds, 1e-9):.1f} a second", file=sys.stderr)


def show(tokenizer: Any, prompt: list[int], new: Any) -> int:
    """Print the prompt and the new tokens as they come; how many there were."""
    from minigrad.text import Streamer

    streamer, count = Streamer(tokenizer), 0
    for token in prompt:
        print(streamer.put(token), end="")
    for token in new:
        print(streamer.put(token), end="", flush=True)
        count += 1
    print(streamer.end())
    return count


if __name__ == "__main__":
    main()
