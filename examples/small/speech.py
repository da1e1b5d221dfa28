"""Speech of a kind: words made of tones, heard through noise, written down by a recurrent network and CTC.

    python examples/small/speech.py         about a minute on two cores; the sound is made here

Each letter of a word is a chord of two tones, held for 50 to 120 ms, one running into the next; each speaker is higher
or lower, faster or slower, and everything is under noise. Three words make an utterance. The network sees a spectrogram
and says letters; CTC (connectionist temporal classification) finds out in training which letter belongs where. The
figure is the word error rate: wrong, missing and added words for each word spoken. The baseline always says the three
most common words. Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal classification", 2006.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "stop", "left", "right"]
LETTERS = [" ", *sorted(set("".join(WORDS)))]  # class 0 is CTC's blank, letter i has class i + 1
RATE, FRAME = 4000, 128  # samples a second, samples a frame; frames overlap by half
LOW = 300 * 1.11 ** np.arange(len(LETTERS))  # Hz, the lower tone of each letter


def utterance(rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """A spectrogram (frames, 65) and the words, by number."""
    words = rng.integers(len(WORDS), size=3).tolist()
    speaker, pace, parts, phase = rng.uniform(0.97, 1.03), rng.uniform(0.8, 1.2), [], np.zeros(2)
    for letter in " ".join(WORDS[w] for w in words):
        t = np.arange(int(rng.uniform(0.05, 0.12) * pace * RATE)) / RATE
        i = LETTERS.index(letter)
        tones = np.array([LOW[i], LOW[(5 * i + 3) % len(LETTERS)]])[:, None] * speaker  # (2, 1) Hz
        waves = np.sin(2 * np.pi * tones * t + phase[:, None])
        phase = phase + 2 * np.pi * tones[:, 0] * len(t) / RATE  # the next letter goes on from here
        parts.append(waves.sum(0) * (0.02 if letter == " " else rng.uniform(0.6, 1.0)))
    sound = np.concatenate(parts)
    sound = sound + rng.normal(0, 0.3, len(sound))
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[:: FRAME // 2] * np.hanning(FRAME)
    return np.log(np.abs(np.fft.rfft(frames)) + 1e-2).astype(np.float32), words


def batch(count: int, rng: np.random.Generator) -> tuple[mg.Tensor, list[int], list[list[int]]]:
    """Spectrograms (N, longest, 65), filled up at the end, their lengths, and the words."""
    sounds, words = zip(*(utterance(rng) for _ in range(count)), strict=True)
    lengths = [len(s) for s in sounds]
    x = np.full((count, max(lengths), FRAME // 2 + 1), np.log(1e-2), np.float32)
    for i, sound in enumerate(sounds):
        x[i, : len(sound)] = sound
    return mg.tensor(x), lengths, list(words)


class Listener(nn.Module):
    def __init__(self, hidden: int = 96):
        super().__init__()
        self.norm, self.first = nn.LayerNorm(FRAME // 2 + 1), nn.Linear(FRAME // 2 + 1, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, len(LETTERS) + 1)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        x, _ = self.gru(F.relu(self.first(self.norm(x))))  # (N, T, 65) -> (N, T, 2 hidden)
        return F.log_softmax(self.out(x), dim=2)  # (N, T, letters + 1)


def text_of(best: np.ndarray) -> str:
    """The likeliest class of each frame to text: runs are one letter, blanks are none."""
    changes = best[np.insert(best[1:] != best[:-1], 0, True)]
    return "".join(LETTERS[i - 1] for i in changes if i)


def edits(a: list[str], b: list[str]) -> int:
    """The least number of insertions, deletions and exchanges from a to b (Levenshtein, 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=350, help="of training, 32 utterances each (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and sounds (default: %(default)s)")
    args = p.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(args.seed)
    mg.manual_seed(args.seed)
    model = Listener()
    optimizer = mg.optim.Adam(model.parameters(), lr=4e-3)
    schedule = mg.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    for step in range(1, args.steps + 1):
        x, lengths, words = batch(32, rng)
        letters = [[LETTERS.index(c) + 1 for c in " ".join(WORDS[w] for w in spoken)] for spoken in words]
        targets = mg.tensor([i for line in letters for i in line])
        loss = F.ctc_loss(model(x).transpose(0, 1), targets, lengths, [len(line) for line in letters])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: CTC loss {loss.item():.4f}, {time.perf_counter() - started:.0f} s", flush=True)
    x, lengths, words = batch(200, rng)
    with mg.no_grad():
        best = model(x).argmax(2).numpy()
    said = [text_of(row[:n]).split() for row, n in zip(best, lengths, strict=True)]
    spoken, common = [[WORDS[w] for w in line] for line in words], WORDS[:3]
    wrong, naive = (sum(map(edits, guess, spoken)) / (3 * len(spoken)) for guess in (said, [common] * len(spoken)))
    print(f"{' '.join(spoken[0])!r} was heard as {' '.join(said[0])!r}")
    print(f"word error rate {wrong:.1%} (wanted 5 %), of always {' '.join(common)!r} {naive:.1%}; "
          f"{time.perf_counter() - started:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
