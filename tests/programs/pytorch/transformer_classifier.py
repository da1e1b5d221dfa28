"""A Transformer encoder that says whether a sequence holds more of one token than of another; padded batches."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.modules.transformer import TransformerEncoder, TransformerEncoderLayer
from torch.nn.parameter import Parameter

torch.manual_seed(5)
VOCAB, PAD, LENGTH = 12, 0, 14


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(1, max_len, d_model)
        pe[0, :, 0::2] = torch.sin(position * div_term)
        pe[0, :, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return self.dropout(x + self.pe[:, : x.size(1)])


class Classifier(nn.Module):
    def __init__(self, d_model=24, nhead=3, nlayers=2):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, d_model, padding_idx=PAD)
        self.pos = PositionalEncoding(d_model)
        layer = TransformerEncoderLayer(
            d_model, nhead, dim_feedforward=48, dropout=0.1, activation="gelu", batch_first=True
        )
        self.encoder = TransformerEncoder(layer, nlayers)
        self.scale = Parameter(torch.ones(1))
        self.head = nn.Linear(d_model, 2)

    def forward(self, tokens):
        mask = tokens == PAD
        x = self.pos(self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim))
        x = self.encoder(x, src_key_padding_mask=mask)
        keep = (~mask).unsqueeze(-1).type_as(x)
        return self.head(self.scale * (x * keep).sum(1) / keep.sum(1))


def batch(n):
    tokens = torch.randint(1, VOCAB, (n, LENGTH))
    lengths = torch.randint(6, LENGTH + 1, (n,))
    tokens[torch.arange(LENGTH)[None, :] >= lengths[:, None]] = PAD
    few, many = (tokens < 6) & (tokens > 0), tokens >= 6
    return tokens, (many.sum(1) > few.sum(1)).long()


model = Classifier()
print(len(list(model.parameters())), sum(p.numel() for p in model.parameters()))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=40)
for step in range(40):
    tokens, target = batch(24)
    loss = F.cross_entropy(model(tokens), target, label_smoothing=0.05)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 8 == 7:
        print(f"step {step} loss {loss.item():.3f} lr {scheduler.get_last_lr()[0]:.2e}")
model.eval()
with torch.inference_mode():
    tokens, target = batch(100)
    probs = F.softmax(model(tokens), dim=-1)
    print("right", (probs.argmax(-1) == target).sum().item())
    torch.set_printoptions(precision=2, sci_mode=False)
    print(probs[:3])
