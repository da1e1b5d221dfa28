"""Recommendation: which films will a user watch next? Matrix factorisation, and two towers that read features.

    python examples/small/recommend.py      less than a minute on two cores; the data are made here

2,000 users have watched 30 of 1,000 films each: those that fit their taste, popular ones more often. The last five of
each user are for testing. Both models give a user and a film a vector each, whose product is the score; in training the
other films of the batch are the wrong answers (softmax in the batch, corrected for how often a film is drawn). Matrix
factorisation learns a vector for each user and film; the towers make them of features: the genres of the film, and the
mean genres of what the user watched. Then a film that nobody has watched can be scored too.

The figure is recall@10: of the films left out, the share that is among the ten best scores of those not watched. The
baseline recommends the most popular ones. Koren, Bell and Volinsky, 2009; Yi et al., "Sampling-bias-corrected neural
modeling for large corpus item recommendations", 2019.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

USERS, FILMS, GENRES, WATCHED, LEFT_OUT = 2000, 1000, 12, 30, 5


def made_up(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(users, 30) films in the order they were watched, and (films, genres) features of the films, known in part."""
    genres = rng.dirichlet(np.full(GENRES, 0.2), FILMS)  # most films have one or two
    taste = rng.dirichlet(np.full(GENRES, 0.2), USERS)
    popularity = rng.normal(0, 1.0, FILMS)
    score = 8 * taste @ genres.T + popularity + rng.gumbel(size=(USERS, FILMS))  # Gumbel noise: a draw without return
    watched = rng.permuted(np.argsort(-score, axis=1)[:, :WATCHED], axis=1)
    return watched, (genres + rng.normal(0, 0.1, genres.shape)).astype(np.float32)


class Factors(nn.Module):
    def __init__(self, size: int = 32):
        super().__init__()
        self.users, self.films = nn.Embedding(USERS, size), nn.Embedding(FILMS, size)
        self.bias = nn.Embedding(FILMS, 1)
        for table, std in ((self.users, 0.1), (self.films, 0.1), (self.bias, 0.0)):
            nn.init.normal_(table.weight, std=std)

    def forward(self, user: mg.Tensor, film: mg.Tensor) -> mg.Tensor:
        return self.users(user) @ self.films(film).T + self.bias(film).T  # (A,), (B,) -> (A, B)


class Towers(nn.Module):
    def __init__(self, user_features: mg.Tensor, film_features: mg.Tensor, size: int = 32):
        super().__init__()
        self.register_buffer("user_features", user_features)
        self.register_buffer("film_features", film_features)
        self.user = nn.Sequential(nn.Linear(user_features.shape[1], 64), nn.ReLU(), nn.Linear(64, size))
        self.film = nn.Sequential(nn.Linear(film_features.shape[1], 64), nn.ReLU(), nn.Linear(64, size))

    def forward(self, user: mg.Tensor, film: mg.Tensor) -> mg.Tensor:
        return self.user(self.user_features[user]) @ self.film(self.film_features[film]).T


def fit(model: nn.Module, pairs: mg.data.TensorDataset, log_counts: mg.Tensor, epochs: int, decay: float) -> None:
    optimizer = mg.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=decay)
    for _ in range(epochs):
        for user, film in mg.data.DataLoader(pairs, batch_size=512, shuffle=True):
            scores = model(user, film) - log_counts[film]  # (512, 512): popular films are wrong answers more often
            same = (film == film.unsqueeze(1)) & ~mg.eye(len(film), dtype=mg.bool)
            loss = F.cross_entropy(scores.masked_fill(same, -1e9), mg.arange(len(film)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def recall(scores: np.ndarray, seen: np.ndarray, left_out: np.ndarray, k: int = 10) -> float:
    scores = scores.copy()
    np.put_along_axis(scores, seen, -np.inf, axis=1)
    best = np.argpartition(-scores, k, axis=1)[:, :k]
    return float((best[:, :, None] == left_out[:, None, :]).any(1).mean())


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--epochs", type=int, default=10, help="passes over 50,000 viewings (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and data (default: %(default)s)")
    args = p.parse_args()
    started = time.perf_counter()
    mg.manual_seed(args.seed)
    watched, features = made_up(np.random.default_rng(args.seed))
    seen, left_out = watched[:, :-LEFT_OUT], watched[:, -LEFT_OUT:]
    counts = np.bincount(seen.ravel(), minlength=FILMS).astype(np.float32)
    log_counts = np.log(np.maximum(counts, 1) / counts.sum())
    pairs = mg.data.TensorDataset(
        mg.arange(USERS).repeat_interleave(seen.shape[1]), mg.tensor(np.ascontiguousarray(seen)).flatten()
    )
    film_features = np.concatenate([features, log_counts[:, None]], axis=1)
    figures = {"popularity": recall(np.tile(counts, (USERS, 1)), seen, left_out)}
    for name, model, decay in (
        ("matrix factorisation", Factors(), 0.5),
        ("two towers", Towers(mg.tensor(features[seen].mean(1)), mg.tensor(film_features)), 0.01),
    ):
        fit(model, pairs, mg.tensor(log_counts), args.epochs, decay)
        with mg.no_grad():
            scores = model(mg.arange(USERS), mg.arange(FILMS)).numpy()
        figures[name] = recall(scores, seen, left_out)
    text = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    print(f"recall@10: {text}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
