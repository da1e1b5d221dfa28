"""A word-level LSTM language model: truncated backpropagation, hidden states carried over, tied weights, perplexity."""

import math

import torch
import torch.nn as nn

torch.manual_seed(1111)
WORDS = "the old man and the sea said that the sun was hot and the water was deep and the man was old".split()


class Corpus:
    def __init__(self):
        self.word2idx = {}
        for word in WORDS:
            self.word2idx.setdefault(word, len(self.word2idx))
        self.data = torch.tensor([self.word2idx[w] for w in WORDS * 12]).type(torch.int64)


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.2):
        super().__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.nhid, self.nlayers = nhid, nlayers

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        return torch.log_softmax(decoded.view(-1, self.ntoken), dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data.narrow(0, 0, nbatch * bsz).view(bsz, -1).t().contiguous()


def repackage_hidden(h):
    return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage_hidden(v) for v in h)


corpus = Corpus()
ntokens = len(corpus.word2idx)
train_data = batchify(corpus.data, 6)
model = RNNModel(ntokens, 16, 16, 2)
print(model)
criterion = nn.NLLLoss()
lr, bptt, clip = 5.0, 7, 0.25
for epoch in range(1, 7):
    model.train()
    total_loss, count = 0.0, 0
    hidden = model.init_hidden(6)
    for i in range(0, train_data.size(0) - 1, bptt):
        seq_len = min(bptt, len(train_data) - 1 - i)
        data, targets = train_data[i : i + seq_len], train_data[i + 1 : i + 1 + seq_len].view(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)
        total_loss += loss.item()
        count += 1
    print("| epoch {:3d} | loss {:5.3f} | ppl {:6.2f}".format(epoch, total_loss / count, math.exp(total_loss / count)))

model.eval()
words = {i: w for w, i in corpus.word2idx.items()}
hidden = model.init_hidden(1)
input = torch.randint(ntokens, (1, 1), dtype=torch.long)
with torch.no_grad():
    text = []
    for _ in range(12):
        output, hidden = model(input, hidden)
        word_weights = output.squeeze().div(0.8).exp().cpu()
        word_idx = torch.multinomial(word_weights, 1)[0]
        input.fill_(word_idx)
        text.append(words[word_idx.item()])
print(" ".join(text))
