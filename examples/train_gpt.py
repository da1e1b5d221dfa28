"""Train a small GPT on text, character by character, and watch it learn to write.

    python examples/train_gpt.py                      the Python documentation on this machine; two minutes on two cores
    python examples/train_gpt.py --data shakespeare   Shakespeare's plays (1.1 MB, fetched once)
    python examples/train_gpt.py --data python        the standard library's source: it learns to complete functions
    python examples/train_gpt.py --data FILE.txt      any text of yours
    python examples/train_gpt.py --resume             go on where the last run stopped

The recipe is nanoGPT's for a CPU: 4 layers, 4 heads, 128 channels, 64 characters of context, 2,000 steps of 12
sequences, AdamW with a warm-up and a cosine decay. The run ends with the loss on held-out text beside that of a bigram
model, a sample, and `loss.png`; all of it is in the folder --out. With --data python it completes `def` lines of
held-out files besides, and says how many of the functions Python accepts. Ctrl-C stops after the current step and
saves.
"""

import argparse
import ast
import os
import re
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import training

import minigrad as mg
from minigrad import data
from models.gpt import GPT, GPTConfig

SAMPLING = ("sample_length", "temperature", "top_k", "functions")  # flags that a resumed run may change
FUNCTION_LENGTH = 300  # characters of a completed function, its first line not counted


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--data", default="python_docs", help="python_docs, shakespeare, python, or a text file (default: %(default)s)"
    )
    p.add_argument("--steps", type=int, default=2000, help="optimizer steps (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=12, help="sequences a step (default: %(default)s)")
    p.add_argument("--block-size", type=int, default=64, help="characters of context (default: %(default)s)")
    p.add_argument("--layers", type=int, default=4, help="blocks (default: %(default)s)")
    p.add_argument("--heads", type=int, default=4, help="attention heads a block (default: %(default)s)")
    p.add_argument("--channels", type=int, default=128, help="width of the residual stream (default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.0, help="for longer runs, 0.1 or 0.2 (default: %(default)s)")
    p.add_argument(
        "--lr", type=float, default=1e-3, help="peak learning rate; it decays to a tenth (default: %(default)s)"
    )
    p.add_argument("--warmup", type=int, default=100, help="steps of linear warm-up (default: %(default)s)")
    p.add_argument("--weight-decay", type=float, default=0.1, help="on matrices only (default: %(default)s)")
    p.add_argument("--grad-clip", type=float, default=1.0, help="largest norm of the gradient (default: %(default)s)")
    p.add_argument(
        "--eval-every", type=int, default=500, help="steps between validations and saves (default: %(default)s)"
    )
    p.add_argument(
        "--sample-length", type=int, default=1000, help="characters to write at the end (default: %(default)s)"
    )
    p.add_argument("--temperature", type=float, default=0.7, help="of the sample (default: %(default)s)")
    p.add_argument("--top-k", type=int, default=10, help="characters to choose from, 0 for all (default: %(default)s)")
    p.add_argument("--functions", type=int, default=50, help="to complete with --data python (default: %(default)s)")
    training.add_common_flags(p, out="runs/gpt")
    training.add_capture_flag(p)
    args = p.parse_args()
    training.check_positive(p, args, "steps", "batch_size", "block_size", "layers", "heads", "channels", "eval_every")
    if args.functions < 0:
        p.error(f"--functions must be at least 0, got {args.functions}")
    if args.channels % args.heads:
        p.error(f"--channels ({args.channels}) must be a multiple of --heads ({args.heads})")
    if not 0 <= args.dropout < 1:
        p.error(f"--dropout must be in [0, 1), got {args.dropout}")
    return args


def read_text(source: str) -> tuple[str, str]:
    """(training part, validation part): the last tenth is held out."""
    if source == "python_docs":
        return data.train_validation_split(data.python_docs(), boundary=data.TOPIC_BREAK)
    if source == "shakespeare":
        return data.train_validation_split(data.tinyshakespeare())
    if source == "python":  # a fiftieth is text enough to judge by, and quick to read
        return data.train_validation_split(data.python_source(), 0.98, boundary=data.FILE_BREAK)
    if not os.path.exists(source):
        sys.exit(f"--data: no such file: {source} (or one of: python_docs, shakespeare, python)")
    return data.train_validation_split(data.read_text(source).replace("\r\n", "\n"))


def random_batch(ids: mg.Tensor, args: argparse.Namespace) -> tuple[mg.Tensor, mg.Tensor]:
    """(B, T) characters and the (B, T) characters that follow them, from random places."""
    starts = mg.randint(len(ids) - args.block_size, (args.batch_size,)).to(ids.device)
    window = starts.unsqueeze(1) + mg.arange(args.block_size, device=ids.device)  # (B, 1) + (T,) -> (B, T)
    return ids[window], ids[window + 1]


@mg.no_grad()
def validation_loss(model: GPT, ids: mg.Tensor, block: int) -> float:
    """Mean loss in nats a character over the whole text, cut into windows of `block` characters."""
    model.eval()
    count = (len(ids) - 1) // block
    inputs = ids[: count * block].view(count, block)  # (N, T)
    targets = ids[1 : count * block + 1].view(count, block)
    total = 0.0
    for x, y in zip(inputs.split(32), targets.split(32), strict=True):
        _, loss = model(x, y)
        total += loss.item() * x.numel()
    model.train()
    return total / (count * block)


def function_of(text: str) -> str:
    """The function a text begins with: up to the next line that starts at the margin, else to the last line end."""
    head, _, rest = text.partition("\n")
    end = re.search(r"^\S", rest, re.MULTILINE)
    body = rest[: end.start()] if end else rest[: rest.rfind("\n") + 1]
    return f"{head}\n{body}".rstrip() + "\n"


def parses(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            ast.parse(source)
    except (SyntaxError, ValueError):  # ValueError: a number with too many digits
        return False
    return True


def complete_functions(
    model: GPT, tokenizer: data.CharTokenizer, text: str, args: argparse.Namespace, device: mg.device
) -> tuple[list[str], list[str]]:
    """(functions as the model goes on from their first line, the same ones as they are): both cut alike.

    The first lines are of held-out files, evenly spread; the model also sees what stands before them in its context.
    """
    places = [(m.start(), m.end()) for m in re.finditer(r"^def \w+\(.*\):\n", text, re.MULTILINE)]
    places = [(start, end) for start, end in places if end >= args.block_size and end - start <= args.block_size]
    count = min(args.functions, len(places))
    places = [places[i * len(places) // count] for i in range(count)]
    if not places:
        return [], []
    prompts = [tokenizer.encode(text[end - args.block_size : end]) for _, end in places]
    written = model.generate(
        mg.tensor(prompts, device=device), FUNCTION_LENGTH, temperature=args.temperature, top_k=args.top_k or None,
        slide=True,
    )[:, args.block_size :]  # fmt: skip
    heads = [text[start:end] for start, end in places]
    made = [head + tokenizer.decode(row) for head, row in zip(heads, written.cpu(), strict=True)]
    real = [text[start : end + FUNCTION_LENGTH] for start, end in places]
    return [function_of(each) for each in made], [function_of(each) for each in real]


def report_functions(
    model: GPT, tokenizer: data.CharTokenizer, text: str, args: argparse.Namespace, device: mg.device
) -> bool:
    """Complete functions, say how many of them Python accepts, and write them to functions.py, if there are any."""
    made, real = complete_functions(model, tokenizer, text, args, device)
    if not made:
        print("no function in the held-out text whose first line fits the context: none to complete")
        return False
    good = [source for source in made if parses(source)]
    shown = max(good, key=len) if good else made[0]
    print(
        f"\n{shown}\nPython accepts {len(good) / len(made):.0%} of {len(made)} completed functions, "
        f"{sum(source.count(chr(10)) for source in good) / max(len(good), 1):.1f} lines on average, and "
        f"{sum(map(parses, real)) / len(real):.0%} of the library's own, cut after as many characters"
    )
    with open(os.path.join(args.out, "functions.py"), "w", encoding="utf-8") as file:
        file.write("\n\n".join(f"# {'accepted' if parses(s) else 'refused'}\n{s}" for s in made))
    return True


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    # Text -> characters -> integers.
    train_text, val_text = training.or_exit(lambda: read_text(args.data), "--data")
    tokenizer = data.CharTokenizer.from_text(train_text + val_text)
    train_ids, val_ids = (tokenizer.encode(text) for text in (train_text, val_text))
    if min(len(train_ids), len(val_ids)) <= args.block_size + 1:
        parts = f"its parts have {len(train_ids)} and {len(val_ids)} characters"
        sys.exit(f"--data: the text is too short for --block-size {args.block_size}: {parts}")
    bigram = data.bigram_loss(train_ids, val_ids, len(tokenizer))
    print(
        f"{args.data}: {len(train_ids):,} characters to learn from, {len(val_ids):,} held out, "
        f"{len(tokenizer)} different ones"
    )
    train_ids, val_ids = (mg.tensor(ids, device=device) for ids in (train_ids, val_ids))

    config = GPTConfig(
        vocab_size=len(tokenizer), block_size=args.block_size, n_layer=args.layers, n_head=args.heads,
        n_embd=args.channels, dropout=args.dropout, bias=False,
    )  # fmt: skip
    model = GPT(config).to(device)
    # beta2 of 0.99, not 0.999: batches are small and the run short, so the mean of squares should forget faster.
    optimizer = mg.optim.AdamW(model.parameter_groups(args.weight_decay), lr=args.lr, betas=(0.9, 0.99))
    print(f"a GPT of {sum(p.numel() for p in model.parameters()):,} parameters on {device}")

    def learn(x: mg.Tensor, y: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        """One step on (B, T) characters and those that follow; the loss, and the norm of its gradient."""
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), args.grad_clip)
        optimizer.step()
        return loss, norm

    train_step = mg.graphs.captured(learn, model, optimizer) if args.capture else learn
    run = training.Run(
        args, args.steps, model, optimizer, free=SAMPLING, config=vars(config), tokenizer=tokenizer.to_dict()
    )
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, args.warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, norm = train_step(*random_batch(train_ids, args))
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            run.validated(step, validation_loss(model, val_ids, args.block_size))

    # How good is it? Beside a model that knows only which character follows which.
    final = run.validations[-1][1]
    print(
        f"validation loss {final:.4f} nats a character, a bigram model's {bigram:.4f}: "
        f"{abs(bigram - final):.4f} {'better' if final < bigram else 'worse: train longer'}"
    )
    picture, title = os.path.join(args.out, "loss.png"), f"A character-level GPT on {args.data}"
    training.plot_losses(picture, title, "nats a character", run.losses, run.validations, bigram=bigram)

    if args.sample_length:
        prompt = (
            mg.tensor(tokenizer.encode("\n"), device=device).unsqueeze(0)
            if "\n" in tokenizer.characters
            else val_ids[:1].unsqueeze(0)
        )
        tokens = model.generate(
            prompt, args.sample_length, temperature=args.temperature, top_k=args.top_k or None, slide=True
        )
        sample = tokenizer.decode(tokens[0, 1:].cpu())
        known = data.known_word_share(sample, train_text)
        with open(os.path.join(args.out, "sample.txt"), "w", encoding="utf-8") as file:
            file.write(sample)
        print(f"\n{sample}\n\n{known:.0%} of the words of this sample occur in the training text")
    written = ["checkpoint.mg", "loss.png", *(["sample.txt"] if args.sample_length else [])]
    if args.data == "python" and args.functions and report_functions(model, tokenizer, val_text, args, device):
        written.append("functions.py")
    print(f"saved in {args.out}: {', '.join(written)}")


if __name__ == "__main__":
    main()
