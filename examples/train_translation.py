"""Train a Transformer to translate German into English, and let BLEU judge it.

    python examples/train_translation.py                        Multi30k: 29,000 captions of pictures; ten minutes
    python examples/train_translation.py --epochs 30 --layers 3 the longer run of the README
    python examples/train_translation.py --data FILE.tsv        pairs of yours, a line "source<TAB>target" each
    python examples/train_translation.py --resume               go on where the last run stopped
    python examples/train_translation.py --resume --sentence "Ein Hund rennt."   translate this with a finished run

One vocabulary of word pieces (BPE) for both languages, upper and lower case as in the text; the encoder-decoder of the
paper, smaller; its schedule; batches of sentences of like length. The translations are those of the averaged weights,
by beam search. The run ends with BLEU on the test set (sacrebleu; for Multi30k `test_2016_flickr`), a picture of what
the decoder looked at, and `loss.png`; the model is in --out/model. Ctrl-C stops after the current step and saves.
"""

import argparse
import os
import sys
import time
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import sequences
import training
from sequences import Average, Batches, Pairs, ids_of, mean_loss, write

import minigrad as mg
from minigrad import data
from models.transformer import noam

FREE = ("beams", "length_penalty", "sentence")  # flags that a resumed run may change


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="multi30k", help="multi30k, or a file of pairs (default: %(default)s)")
    p.add_argument("--epochs", type=int, default=10, help="times through the pairs (default: %(default)s)")
    p.add_argument("--batch-tokens", type=int, default=3000, help="source and target tokens a step (%(default)s)")
    sequences.add_model_flags(
        p, vocabulary=8000, layers=3, channels=256, heads=8, hidden=512, dropout=0.1, warmup=800, average=0.3, beams=5
    )
    p.add_argument("--sentence", help="to translate and draw at the end (default: the first of the test set)")
    training.add_common_flags(p, out="runs/translation")
    args = p.parse_args()
    training.check_positive(p, args, "epochs", "batch_tokens")
    sequences.check_model_flags(p, args)
    return args


def read_pairs(source: str, seed: int) -> tuple[Pairs, Pairs, Pairs]:
    """(training, validation, test) pairs."""
    if source == "multi30k":
        train, validation, test = (list(data.Multi30k(split)) for split in ("train", "val", "test"))
        return train, validation, test
    if not os.path.exists(source):
        raise ValueError(f"no such file: {source} (or multi30k)")
    return sequences.pairs_of_file(source, seed)


def bleu(found: list[str], references: list[str]) -> Any:
    """The corpus score of sacrebleu, cased, and its signature: how exactly it was computed."""
    metric = training.need("sacrebleu.metrics").BLEU(tokenize="13a")
    return metric.corpus_score(found, [references]), metric.get_signature()


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    training.need("sacrebleu")
    mg.manual_seed(args.seed)

    # Pairs of sentences -> word pieces -> integers.
    parts = training.or_exit(lambda: read_pairs(args.data, args.seed), "--data")
    tokenizer = sequences.vocabulary_of([text for pair in parts[0] for text in pair], args.vocabulary)
    train, validation, test = (sequences.encoded(tokenizer, part) for part in parts)

    model = sequences.model_of(args, tokenizer, device)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)  # the paper's
    batches, held_out = (Batches(*part, model, args.batch_tokens, args.seed) for part in (train, validation))
    steps = args.epochs * len(batches)
    average = Average(model, args.average, steps)
    print(f"{len(parts[0]):,} pairs to learn from, {len(parts[1]):,} to validate, {len(parts[2]):,} to test; "
          f"vocabulary {len(tokenizer):,}, {len(batches)} steps an epoch")  # fmt: skip

    run = training.Run(args, steps, model, optimizer, free=FREE)
    average.resume(run)
    for step in run:
        rate = noam(step + 1, args.channels, args.warmup, args.lr_factor)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(**batches.at(step))
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step)
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, len(batches)):
            found = write(model, tokenizer, validation[0][:200])
            score, _ = bleu(found, [english for _, english in parts[1][:200]])
            run.board.text(step + 1, "samples", "  \n".join(found[:5]))
            run.validated(step, mean_loss(model, held_out), bleu=score.score)
            model.train()

    best = average.best(model)
    started = time.perf_counter()
    found = write(best, tokenizer, test[0], num_beams=args.beams, length_penalty=args.length_penalty)
    score, signature = bleu(found, [english for _, english in parts[2]])
    for (german, english), text in zip(parts[2][:5], found, strict=False):
        print(f"\n  {german}\n  {english}\n> {text}")
    print(f"\n{len(found)} sentences translated in {time.perf_counter() - started:.0f} s, {args.beams} beams")
    print(f"{score}\n{signature}")
    print(f"test BLEU {score.score:.2f} (cased); validation loss {mean_loss(best, held_out):.4f} nats a token")

    best.save(os.path.join(args.out, "model"), tokenizer)
    sentence = args.sentence or parts[2][0][0]
    if args.sentence:
        print(f"\n  {sentence}\n> {write(best, tokenizer, [ids_of(tokenizer, sentence)], num_beams=args.beams)[0]}")
    sequences.draw_attention(os.path.join(args.out, "attention.png"), best, tokenizer, ids_of(tokenizer, sentence))
    title = f"Translation of {args.data}: a Transformer learns"
    training.plot_losses(
        os.path.join(args.out, "loss.png"), title, "nats a token (training: smoothed)", run.losses, run.validations
    )
    print(f"saved in {args.out}: checkpoint.mg, model/, attention.png, loss.png")


if __name__ == "__main__":
    main()
