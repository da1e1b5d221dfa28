"""Word vectors: skip-gram with negative sampling, CBOW with the full softmax, GloVe on counts; analogies by cosine."""

import collections
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset

random.seed(1)
np.random.seed(1)
torch.manual_seed(1)

text = """the king rules the land and the queen rules the court . the king loves the queen . a man walks the land and a
woman walks the court . the man loves the woman . the prince is a young king and the princess is a young queen . the
boy is a young man and the girl is a young woman .""".split()
raw_text = text * 3
counts = collections.Counter(raw_text)
vocab = sorted(counts, key=lambda w: (-counts[w], w))
word_to_ix = {word: i for i, word in enumerate(vocab)}
data = [word_to_ix[w] for w in raw_text]
print(len(data), len(vocab), vocab[:6])

# subsampling and the noise distribution of the paper
freqs = np.array([counts[w] for w in vocab]) / len(data)
keep = np.minimum(1, np.sqrt(0.02 / freqs) + 0.02 / freqs)
subsampled = [w for w in data if random.random() < keep[w]]
noise = torch.from_numpy(freqs**0.75 / (freqs**0.75).sum()).float()
print(len(subsampled), noise[:3], noise.sum())


class SkipGramDataset(Dataset):
    def __init__(self, tokens, window=2, negatives=4):
        self.pairs = [
            (w, tokens[j])
            for i, w in enumerate(tokens)
            for j in range(max(0, i - window), min(len(tokens), i + window + 1))
            if j != i
        ]
        self.negatives = negatives

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]

    def collate(self, batch):
        centre, context = torch.tensor(batch).unbind(1)
        return centre, context, torch.multinomial(noise, len(batch) * self.negatives, True).view(len(batch), -1)


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.in_embed = nn.Embedding(vocab_size, dim)
        self.out_embed = nn.Embedding(vocab_size, dim)
        self.in_embed.weight.data.uniform_(-1, 1)
        self.out_embed.weight.data.uniform_(-1, 1)

    def forward(self, centre, context, negatives):
        v = self.in_embed(centre).unsqueeze(2)
        positive = torch.bmm(self.out_embed(context).unsqueeze(1), v).squeeze()
        negative = torch.bmm(self.out_embed(negatives).neg(), v).squeeze()
        return -(F.logsigmoid(positive) + F.logsigmoid(negative).sum(1)).mean()


dataset = SkipGramDataset(subsampled)
loader = DataLoader(dataset, batch_size=64, shuffle=True, collate_fn=dataset.collate)
model = SkipGram(len(vocab), 12)
optimizer = optim.Adam(model.parameters(), lr=0.02)
for epoch in range(3):
    total = 0
    for batch in loader:
        loss = model(*batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} pairs {len(dataset)} loss {total / len(loader):.4f}")


def nearest(embedding, word, k=3):
    w = embedding.weight
    cos = F.cosine_similarity(w[word_to_ix[word]].unsqueeze(0), w)
    values, indices = cos.topk(k + 1)
    return [(vocab[i], round(v, 4)) for i, v in zip(indices[1:].tolist(), values[1:].tolist())]


with torch.no_grad():
    print(nearest(model.in_embed, "king"))
    e = F.normalize(model.in_embed.weight, dim=1)
    target = e[word_to_ix["king"]] - e[word_to_ix["man"]] + e[word_to_ix["woman"]]
    print((e @ target).topk(3))


# ---------------------------------------------------------------------------------- CBOW, as homework asks for it
class CBOW(torch.nn.Module):
    def __init__(self, vocab_size, embedding_dim):
        super(CBOW, self).__init__()
        self.embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.linear1 = nn.Linear(embedding_dim, 24)
        self.activation_function1 = nn.ReLU()
        self.linear2 = nn.Linear(24, vocab_size)
        self.activation_function2 = nn.LogSoftmax(dim=-1)

    def forward(self, inputs):
        embeds = sum(self.embeddings(inputs)).view(1, -1)
        out = self.linear1(embeds)
        out = self.activation_function1(out)
        out = self.linear2(out)
        out = self.activation_function2(out)
        return out

    def get_word_emdedding(self, word):
        word = torch.tensor([word_to_ix[word]])
        return self.embeddings(word).view(1, -1)


def make_context_vector(context, word_to_ix):
    idxs = [word_to_ix[w] for w in context]
    return torch.tensor(idxs, dtype=torch.long)


pairs = [([text[i - 2], text[i - 1], text[i + 1], text[i + 2]], text[i]) for i in range(2, len(text) - 2)]
model = CBOW(len(vocab), 10)
loss_function = nn.NLLLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(4):
    total_loss = 0
    for context, target in pairs:
        context_vector = make_context_vector(context, word_to_ix)
        log_probs = model(context_vector)
        total_loss += loss_function(log_probs, torch.tensor([word_to_ix[target]]))
    optimizer.zero_grad()
    total_loss.backward()
    optimizer.step()
    print(epoch, total_loss)
print(
    model.get_word_emdedding("king")[0, :4],
    vocab[torch.argmax(model(make_context_vector("the king the land".split(), word_to_ix)))],
)


# ---------------------------------------------------------------------------------- GloVe
X = torch.zeros(len(vocab), len(vocab))
for i, w in enumerate(data):
    for d in (1, 2):
        if i + d < len(data):
            X[w, data[i + d]] += 1 / d
            X[data[i + d], w] += 1 / d
i, j = X.nonzero(as_tuple=True)
w, wt, b, bt = (torch.nn.Parameter(torch.randn(len(vocab), n) * 0.1) for n in (8, 8, 1, 1))
optimizer = optim.Adagrad([w, wt, b, bt], lr=0.2)
weight = (X[i, j] / 10).clamp(max=1).pow(0.75)
for step in range(20):
    prediction = (w[i] * wt[j]).sum(1) + b[i].squeeze() + bt[j].squeeze()
    loss = (weight * (prediction - X[i, j].log()) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 5 == 4:
        print(f"step {step} {loss.item():.4f} of {len(i)} pairs")
U, S, V = torch.svd(torch.log1p(X))
print(S[:4], torch.linalg.matrix_rank(X))
