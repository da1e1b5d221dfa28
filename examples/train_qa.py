"""Train a BERT to answer questions about a story by pointing at the words that answer.

    python examples/train_qa.py                        stories that the script makes itself; some minutes on two cores
    python examples/train_qa.py --resume               go on where the last run stopped
    python examples/train_qa.py --resume --ask "Who has a cat?" --story "Ann is a baker from Rome. She has a cat."

Each row is [CLS] question [SEP] story [SEP]; the model gives every word two logits, for the begin and the end of the
answer. Stories are about two to four people, and mostly name them once: that "she" is Ann has to be learnt, and to
find the sentence that answers by both the name and what is asked (stories.py makes them). The first --easy of the steps
read two sentences only, the next quarter a few more: where one bit is to be learnt from a row, that names match, long
stories hide it (a curriculum: Bengio et al., 2009). The test stories are made with another seed, and none of them was
trained on. An answer counts where it is word for word the right one (EM); F1 is
of its words (Rajpurkar et al., 2016). In --out: model/ (for `minigrad.pipeline`), loss.png, checkpoint.mg.
"""

import argparse
import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training
from stories import Example, stories

import minigrad as mg
from minigrad.text import WordTokenizer
from models.bert import BertConfig, BertForQuestionAnswering, best_span, start_small

LONGEST = 8  # words of an answer


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--stories", type=int, default=20000, help="to learn from, of each length (default: %(default)s)")
    p.add_argument("--held-out", type=int, default=1000, help="to validate, and to test (default: %(default)s)")
    p.add_argument("--layers", type=int, default=2, help="of the encoder (default: %(default)s)")
    p.add_argument("--channels", type=int, default=128, help="of a word (default: %(default)s)")
    p.add_argument("--heads", type=int, default=8, help="attention heads a layer (default: %(default)s)")
    p.add_argument("--hidden", type=int, default=256, help="of the feed-forward part (default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.0, help="in encoder and attention (default: %(default)s)")
    p.add_argument("--context", type=int, default=192, help="longest row the model can read (default: %(default)s)")
    p.add_argument("--steps", type=int, default=10000, help="optimizer steps (default: %(default)s)")
    p.add_argument("--easy", type=float, default=0.35, help="share of them with two sentences (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=32, help="stories a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=1e-3, help="peak learning rate of Adam (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=1000, help="steps between validations (default: %(default)s)")
    p.add_argument("--story", help="to ask about at the end (default: the first of the test)")
    p.add_argument("--ask", help="a question about it")
    training.add_common_flags(p, out="runs/qa")
    args = p.parse_args()
    training.check_positive(
        p, args, "stories", "held_out", "layers", "channels", "heads", "hidden", "context", "steps", "batch_size",
        "eval_every",
    )  # fmt: skip
    for name in ("dropout", "easy"):
        if not 0 <= getattr(args, name) < 1:
            p.error(f"--{name} must be in [0, 1), got {getattr(args, name)}")
    if bool(args.story) != bool(args.ask):
        p.error("--story and --ask belong together: a story, and a question about it")
    return args


# Of the curriculum: (numbers of people, sentences on each) at the beginning, in the middle, and from then on.
LESSONS = (((2,), (1,)), ((2, 3), (1, 2)), ((2, 3, 4), (2, 3, 4)))


def lesson(step: int, args: argparse.Namespace) -> int:
    """Which of the LESSONS a step is of."""
    done = step / args.steps
    return 0 if done < args.easy else 1 if done < args.easy + 0.25 * (args.easy > 0) else 2


class Questions:
    """Rows [CLS] question [SEP] story [SEP] with the places of the answers, encoded once."""

    def __init__(self, examples: list[Example], tokenizer: Any, context: int, device: mg.device):
        self.examples, self.device = examples, device
        found = tokenizer(
            [e.question for e in examples], [e.text for e in examples], padding=True, return_tensors="np",
            return_offsets_mapping=True,
        )  # fmt: skip
        self.tokens, self.mask, self.segments = (
            found[name] for name in ("input_ids", "attention_mask", "token_type_ids")
        )
        if self.tokens.shape[1] > context:
            raise ValueError(f"a question and its story have {self.tokens.shape[1]} words, --context is {context}")
        self.spans = np.array(found["offset_mapping"])  # (N, T, 2): where in question or story a token stands
        self.inside = (self.segments == 1) & (self.spans[:, :, 1] > self.spans[:, :, 0])  # in the story, and no mark
        begins = np.array([e.start for e in examples])[:, None]
        ends = begins + np.array([len(e.answer) for e in examples])[:, None]
        self.start = (self.inside & (self.spans[:, :, 0] == begins)).argmax(axis=1)
        self.end = (self.inside & (self.spans[:, :, 1] == ends)).argmax(axis=1)

    def batch(self, places: Any) -> dict[str, mg.Tensor]:
        """tokens, mask, segments (B, T) and the places of first and last word of the answers (B,)."""
        longest = int(self.mask[places].sum(axis=1).max())
        arrays = {name: getattr(self, name)[places][:, :longest] for name in ("tokens", "mask", "segments")}
        arrays.update(start=self.start[places], end=self.end[places])
        return {name: mg.tensor(x, device=self.device) for name, x in arrays.items()}


def answers(model: BertForQuestionAnswering, questions: Questions) -> tuple[float, list[str]]:
    """(mean loss, the words that the model points at for each question)."""
    model.eval()
    loss, found = 0.0, []
    with mg.no_grad():
        for begin in range(0, len(questions.examples), 100):
            places = np.arange(begin, min(begin + 100, len(questions.examples)))
            batch = questions.batch(places)
            logits, mean = model(**batch)
            loss += mean.item() * len(places)
            allowed = mg.tensor(questions.inside[places][:, : logits.size(1)], device=questions.device)
            for i, (first, last, _) in zip(places, best_span(logits, allowed, LONGEST), strict=True):
                found.append(questions.examples[i].text[questions.spans[i, first, 0] : questions.spans[i, last, 1]])
    model.train()
    return loss / len(questions.examples), found


def exact(found: list[str], examples: list[Example]) -> float:
    """The share of answers that are the right one word for word."""
    return sum(text == e.answer for text, e in zip(found, examples, strict=True)) / len(examples)


def word_f1(found: str, right: str) -> float:
    """2 P R / (P + R) of the words that both answers have."""
    a, b = found.lower().split(), right.lower().split()
    common = sum(min(a.count(word), b.count(word)) for word in set(a))
    return 2 * common / (len(a) + len(b))


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    learn = [stories(1000 * args.seed + i, args.stories, *sizes) for i, sizes in enumerate(LESSONS)]
    known = {(e.text, e.question) for made in learn for e in made}
    others = [e for e in stories(1000 * args.seed + 999, 2 * args.held_out) if (e.text, e.question) not in known]
    held, last = others[::2], others[1::2]
    tokenizer = WordTokenizer.from_texts([part for made in learn for e in made for part in (e.text, e.question)])

    def build() -> BertForQuestionAnswering:
        return BertForQuestionAnswering(BertConfig(
            vocab_size=len(tokenizer), hidden_size=args.channels, num_hidden_layers=args.layers,
            num_attention_heads=args.heads, intermediate_size=args.hidden, hidden_dropout_prob=args.dropout,
            attention_probs_dropout_prob=args.dropout, max_position_embeddings=args.context, initializer_range=0.1,
        ))  # fmt: skip

    model = training.or_exit(build, "sizes")
    start_small(model.bert, words=0.3, places=0.2, matching=True)
    model = model.to(device)
    *train, validation, test = (
        training.or_exit(lambda part=part: Questions(part, tokenizer, args.context, device), "--context")
        for part in (*learn, held, last)
    )
    optimizer = mg.optim.Adam(model.parameters(), lr=args.lr, betas=(0.9, 0.98))
    print(
        f"{len(known):,} stories to learn from, {len(held):,} to validate, {len(last):,} to test, {len(tokenizer):,} "
        f"words; a BERT of {sum(p.numel() for p in model.parameters()):,} parameters on {device}\n"
        f"{last[0].text}\n{last[0].question} {last[0].answer}"
    )

    run = training.Run(args, args.steps, model, optimizer, free=("story", "ask"))
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, warmup=min(args.steps // 10, 200), final=0.05)
        for group in optimizer.param_groups:
            group["lr"] = rate
        questions = train[lesson(step, args)]
        places = training.batch_at(step, len(questions.examples), args.batch_size, args.seed)
        _, loss = model(**questions.batch(places))
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            held_loss, found = answers(model, validation)
            run.validated(step, held_loss, exact_match=exact(found, held))

    _, found = answers(model, test)
    f1 = sum(word_f1(text, e.answer) for text, e in zip(found, last, strict=True)) / len(last)
    print(f"test: exact match {exact(found, last):.2%}, F1 {f1:.2%} of {len(last):,} questions")
    for e, text in list(zip(last, found, strict=True))[:4]:
        print(f"  {e.question:40} {text:22} {'right' if text == e.answer else 'wrong: ' + e.answer}")
    folder = os.path.join(args.out, "model")
    model.eval().save(folder, tokenizer)
    asked, text = (args.ask, args.story) if args.ask else (last[0].question, last[0].text)
    said = mg.pipeline(folder)(asked, text)
    print(f"\n{text}\n> {asked}\n{said['answer']} (probability {said['score']:.2f})")
    title = "Answers about stories: begin and end"
    points = "validation, long stories"
    training.plot_losses(os.path.join(args.out, "loss.png"), title, "nats a place", run.losses, run.validations, points)
    print(f"saved in {args.out}: checkpoint.mg, model/, loss.png")


if __name__ == "__main__":
    main()
