"""Train a Transformer to give an article its title, having read the first paragraph.

    python examples/train_summary.py                    600 articles of WikiText-2; ten minutes on two cores
    python examples/train_summary.py --data FILE.tsv    texts and titles of yours, a line "text<TAB>title" each
    python examples/train_summary.py --resume           go on where the last run stopped
    python examples/train_summary.py --resume --text "The Moon is the only natural satellite of the Earth ."

Nearly every word of a title stands in the paragraph too, so the model has to learn where titles stand and to copy. 600
articles are too few for that: it would learn their names by heart. Therefore --swap of the words in a title are
replaced, in title and paragraph alike, by words of other texts, drawn anew each time; and some other words with them,
so that not everything out of place belongs to the title.

The run ends with ROUGE-L on the test articles, beside that of a baseline that says nothing is needed but the first
words of the paragraph, as many as are best for the training articles. ROUGE-L is the F-measure of the longest common
subsequence of words (Lin, 2004). Pictures: what the decoder looked at, and `loss.png`; the model is in --out/model.
"""

import argparse
import os
import re
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import sequences
import training
from sequences import Average, Pairs, ids_of, write

import minigrad as mg
from minigrad import data
from models.transformer import noam

FREE = ("beams", "length_penalty", "text")  # flags that a resumed run may change


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="wikitext2", help="wikitext2, or a file of pairs (default: %(default)s)")
    p.add_argument("--steps", type=int, default=4000, help="optimizer steps (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=32, help="articles a step (default: %(default)s)")
    p.add_argument("--copy-steps", type=int, default=1000, help="of them to learn copying (default: %(default)s)")
    p.add_argument("--words", type=int, default=64, help="of the paragraph that are read (default: %(default)s)")
    p.add_argument("--swap", type=float, default=0.5, help="share of words that change places (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=500, help="steps between validations (default: %(default)s)")
    sequences.add_model_flags(
        p,
        vocabulary=4000,
        layers=2,
        channels=128,
        heads=4,
        hidden=256,
        norm_first=True,
        dropout=0.1,
        label_smoothing=0.0,
        warmup=400,
        average=0.2,
        beams=4,
    )
    p.add_argument("--text", help="to give a title to at the end (default: the first of the test set)")
    training.add_common_flags(p, out="runs/summary")
    args = p.parse_args()
    training.check_positive(p, args, "steps", "batch_size", "words", "eval_every")
    sequences.check_model_flags(p, args)
    if not 0 <= args.swap <= 1:
        p.error(f"--swap must be in [0, 1], got {args.swap}")
    return args


# ---------------------------------------------------------------- texts and titles


def read_pairs(source: str, seed: int, words: int) -> tuple[list[Pairs], list[str]]:
    """([training, validation, test] pairs (the first words of a text, its title), all texts to take words from)."""
    if source == "wikitext2":
        articles = [data.WikiText2(split).articles() for split in ("train", "valid", "test")]
        parts = [[(paragraphs[0], title) for title, paragraphs in part if paragraphs] for part in articles]
        texts = [paragraph for _, paragraphs in articles[0] for paragraph in paragraphs]
    elif not os.path.exists(source):
        raise ValueError(f"no such file: {source} (or wikitext2)")
    else:
        parts = list(sequences.pairs_of_file(source, seed))
        texts = [text for text, _ in parts[0]]
    parts = [[(first_words(plain(text), words), plain(title)) for text, title in part] for part in parts]
    return parts, [plain(text) for text in texts]


def plain(text: str) -> str:
    """WikiText's marks as a reader would write them: ` @-@ ` joins, `<unk>` (a rare word) is the word unk."""
    return re.sub(r" @([-,.])@ ", r"\1", text).replace("<unk>", "unk")


def first_words(text: str, count: int) -> str:
    return " ".join(text.split()[:count])


def copied(text: str, count: int, rng: np.random.Generator) -> tuple[str, str]:
    """A passage of at most `count` words of the text, and the run of 16 words in it that begins at one of its first
    four: far enough for the model to look what it has written, near enough to find out soon.
    """
    words = text.split()
    start = rng.integers(max(len(words) - count, 0) + 1)
    passage = words[start : start + count]
    first = rng.integers(min(len(passage), 4))
    return " ".join(passage), " ".join(passage[first : first + 16])


def swapped(pair: tuple[str, str], share: float, lexicon: list[str], rng: np.random.Generator) -> tuple[str, str]:
    """The pair with other words: a `share` of those in the title that carry meaning, and a quarter of that share of
    the others, each replaced by a word of the lexicon wherever it stands in text or title.
    """
    text, title = (side.split() for side in pair)
    in_title = {word for word in title if carries_meaning(word)}
    others = {word for word in text if carries_meaning(word)} - in_title
    new = {}
    for words, p in ((in_title, share), (others, share / 4)):
        for word in sorted(words):  # sets have no order that a second run would repeat
            if rng.random() < p:
                new[word] = lexicon[rng.integers(len(lexicon))]
    return tuple(" ".join(new.get(word, word) for word in side) for side in (text, title))


def carries_meaning(word: str) -> bool:
    """Names and numbers, roughly: it begins with a capital letter or a digit. `The` stays, and so does punctuation."""
    return (word[0].isupper() or word[0].isdigit()) and word not in ("The", "A", "An", "It", "In", "He", "She")


# ---------------------------------------------------------------- the judge and the baseline


def words_of(text: str) -> list[str]:
    """Runs of letters and digits in lower case, as ROUGE compares them."""
    return re.findall(r"[^\W_]+", text.lower())


def rouge_l(found: str, reference: str) -> float:
    """2 P R / (P + R), where P and R are the longest common subsequence's share of the words found, and of those of
    the reference. Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.
    """
    a, b = words_of(found), words_of(reference)
    longest = [0] * (len(b) + 1)  # of what was read of a, and the first j words of b
    for word in a:
        before = 0  # longest[j - 1] as it was without `word`
        for j, other in enumerate(b, 1):
            before, longest[j] = longest[j], before + 1 if word == other else max(longest[j], longest[j - 1])
    return 2 * longest[-1] / (len(a) + len(b)) if longest[-1] else 0.0


def mean_rouge(found: list[str], pairs: Pairs) -> float:
    return sum(rouge_l(text, title) for text, (_, title) in zip(found, pairs, strict=True)) / len(pairs)


def lead_baseline(train: Pairs, pairs: Pairs) -> tuple[int, list[str]]:
    """How many of the first words make the best titles of the training texts, and that many of each text."""
    best = max(range(1, 13), key=lambda k: mean_rouge([first_words(text, k) for text, _ in train], train))
    return best, [first_words(text, best) for text, _ in pairs]


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    parts, texts = training.or_exit(lambda: read_pairs(args.data, args.seed, args.words), "--data")
    train, validation, test = parts
    tokenizer = sequences.vocabulary_of([*texts, *(title for _, title in train)], args.vocabulary)
    model = sequences.model_of(args, tokenizer, device)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)  # the paper's
    average = Average(model, args.average, args.steps)
    held_out = sequences.Batches(*sequences.encoded(tokenizer, validation), model, 8000, args.seed)
    lexicon = sorted({word for text in texts for word in text.split() if carries_meaning(word)})
    print(f"{len(train):,} articles to learn from, {len(validation):,} to validate, {len(test):,} to test")

    def batch(step: int) -> dict[str, mg.Tensor]:
        """Passages to copy from, later articles, with words swapped; step and seed alone decide which, and how."""
        rng = np.random.default_rng((args.seed, 1, step))
        if step < args.copy_steps:
            pairs = [copied(texts[rng.integers(len(texts))], args.words, rng) for _ in range(args.batch_size)]
        else:
            pairs = [train[i] for i in training.batch_at(step, len(train), args.batch_size, args.seed)]
        pairs = [swapped(pair, args.swap, lexicon, rng) for pair in pairs]
        return sequences.batch_of(*sequences.encoded(tokenizer, pairs), model)

    run = training.Run(args, args.steps, model, optimizer, free=FREE)
    average.resume(run)
    for step in run:
        rate = noam(step + 1, args.channels, args.warmup, args.lr_factor)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(**batch(step))
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step)
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            found = write(model, tokenizer, held_out.sources, max_new_tokens=30)
            run.board.text(step + 1, "samples", "  \n".join(found[:10]))
            run.validated(step, sequences.mean_loss(model, held_out), rouge_l=mean_rouge(found, validation))
            model.train()

    best = average.best(model)
    how: dict[str, Any] = {"num_beams": args.beams, "length_penalty": args.length_penalty, "max_new_tokens": 30}
    for name, pairs in (("validation", validation), ("test", test)):
        found = write(best, tokenizer, sequences.encoded(tokenizer, pairs)[0], **how)
        count, lead = lead_baseline(train, pairs)
        print(f"{name}: ROUGE-L {100 * mean_rouge(found, pairs):.1f}, the first {count} words as the title "
              f"{100 * mean_rouge(lead, pairs):.1f}")  # fmt: skip
    for (text, title), mine, theirs in list(zip(test, found, lead, strict=True))[:8]:
        print(f"\n  {first_words(text, 20)} ...\n  title:  {title}\n  model:  {mine}\n  lead:   {theirs}")

    best.save(os.path.join(args.out, "model"), tokenizer)
    text = first_words(args.text or test[0][0], args.words)
    if args.text:
        print(f"\n  {text}\n> {write(best, tokenizer, [ids_of(tokenizer, text)], **how)[0]}")
    picture, text = os.path.join(args.out, "attention.png"), first_words(text, 30)
    sequences.draw_attention(picture, best, tokenizer, ids_of(tokenizer, text), max_new_tokens=30)
    picture, title = os.path.join(args.out, "loss.png"), "Titles from first paragraphs: a Transformer learns to copy"
    training.plot_losses(picture, title, "nats a token (training: smoothed)", run.losses, run.validations)
    print(f"\nsaved in {args.out}: checkpoint.mg, model/, attention.png, loss.png")


if __name__ == "__main__":
    main()
