"""News sorted by topic: a tokenizer, an EmbeddingBag with offsets, a collate function, SGD with a stepped rate."""

import re
from collections import Counter

import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data.dataset import random_split

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(f"Using {device} device")

SUBJECTS = {
    1: ("minister president army treaty border election embassy refugees", "met signed crossed visited warned"),
    2: ("striker coach team champion goalkeeper tournament season match", "won lost scored played beat"),
    3: ("market shares profit company bank investors dollar prices", "rose fell earned sold bought"),
    4: (
        "software chip browser telescope scientists spacecraft virus robot",
        "computed launched measured found infected",
    ),
}
generator = torch.Generator().manual_seed(12)


def pick(words):
    words = words.split()
    return words[torch.randint(len(words), (1,), generator=generator).item()]


def make_news(n):
    for i in range(n):
        label = int(torch.randint(1, 5, (), generator=generator))
        nouns, verbs = SUBJECTS[label]
        text = f"The {pick(nouns)} {pick(verbs)} the {pick(nouns)}, said the {pick(nouns)} on {pick('Monday Tuesday Friday')}."
        yield label, text


def tokenizer(line):
    return re.findall(r"[a-z]+|[.,]", line.lower())


train_iter = list(make_news(360))
counter = Counter(token for _, text in train_iter for token in tokenizer(text))
vocab = {"<unk>": 0}
for token, _ in sorted(counter.items(), key=lambda kv: (-kv[1], kv[0])):
    vocab[token] = len(vocab)
print([vocab[t] for t in "the bank said , .".split()], len(vocab))

text_pipeline = lambda x: [vocab.get(token, vocab["<unk>"]) for token in tokenizer(x)]
label_pipeline = lambda x: int(x) - 1


def collate_batch(batch):
    label_list, text_list, offsets = [], [], [0]
    for _label, _text in batch:
        label_list.append(label_pipeline(_label))
        processed_text = torch.tensor(text_pipeline(_text), dtype=torch.int64)
        text_list.append(processed_text)
        offsets.append(processed_text.size(0))
    label_list = torch.tensor(label_list, dtype=torch.int64)
    offsets = torch.tensor(offsets[:-1]).cumsum(dim=0)
    text_list = torch.cat(text_list)
    return label_list.to(device), text_list.to(device), offsets.to(device)


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super(TextClassificationModel, self).__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
        self.fc = nn.Linear(embed_dim, num_class)
        self.init_weights()

    def init_weights(self):
        initrange = 0.5
        self.embedding.weight.data.uniform_(-initrange, initrange)
        self.fc.weight.data.uniform_(-initrange, initrange)
        self.fc.bias.data.zero_()

    def forward(self, text, offsets):
        embedded = self.embedding(text, offsets)
        return self.fc(embedded)


num_class = len(set([label for (label, text) in train_iter]))
model = TextClassificationModel(len(vocab), 16, num_class).to(device)
print(model)


def train(dataloader):
    model.train()
    total_acc, total_count = 0, 0
    log_interval = 10
    for idx, (label, text, offsets) in enumerate(dataloader):
        optimizer.zero_grad()
        predicted_label = model(text, offsets)
        loss = criterion(predicted_label, label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        total_acc += (predicted_label.argmax(1) == label).sum().item()
        total_count += label.size(0)
        if idx % log_interval == 0 and idx > 0:
            print(
                "| epoch {:3d} | {:5d}/{:5d} batches | loss {:.4f} | accuracy {:8.3f}".format(
                    epoch, idx, len(dataloader), loss, total_acc / total_count
                )
            )
            total_acc, total_count = 0, 0


def evaluate(dataloader):
    model.eval()
    total_acc, total_count = 0, 0
    with torch.no_grad():
        for idx, (label, text, offsets) in enumerate(dataloader):
            predicted_label = model(text, offsets)
            total_acc += (predicted_label.argmax(1) == label).sum().item()
            total_count += label.size(0)
    return total_acc / total_count


EPOCHS = 5
LR = 5
BATCH_SIZE = 16
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=LR)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1.0, gamma=0.1)
total_accu = None
num_train = int(len(train_iter) * 0.9)
split_train_, split_valid_ = random_split(train_iter, [num_train, len(train_iter) - num_train])
train_dataloader = DataLoader(split_train_, batch_size=BATCH_SIZE, shuffle=True, collate_fn=collate_batch)
valid_dataloader = DataLoader(split_valid_, batch_size=BATCH_SIZE, shuffle=True, collate_fn=collate_batch)
test_dataloader = DataLoader(list(make_news(40)), batch_size=BATCH_SIZE, shuffle=True, collate_fn=collate_batch)
for epoch in range(1, EPOCHS + 1):
    train(train_dataloader)
    accu_val = evaluate(valid_dataloader)
    if total_accu is not None and total_accu > accu_val:
        scheduler.step()
    else:
        total_accu = accu_val
    print("-" * 59)
    print("| end of epoch {:3d} | valid accuracy {:8.3f} | lr {}".format(epoch, accu_val, scheduler.get_last_lr()))
print("test accuracy {:8.3f}".format(evaluate(test_dataloader)))
ag_news_label = {1: "World", 2: "Sports", 3: "Business", 4: "Sci/Tec"}


def predict(text, text_pipeline):
    with torch.no_grad():
        text = torch.tensor(text_pipeline(text))
        output = model(text, torch.tensor([0]))
        print(output)
        return output.argmax(1).item() + 1


print("This is a %s news" % ag_news_label[predict("The coach said the goalkeeper played on Monday.", text_pipeline)])

# the same bags by hand, and the other modes
text, offsets = torch.tensor([3, 1, 2, 5, 4]), torch.tensor([0, 2])
weight = model.embedding.weight.detach()
for mode in ("sum", "mean", "max"):
    bag = nn.EmbeddingBag.from_pretrained(weight, mode=mode)
    print(mode, bag(text, offsets)[:, :3])
per_sample = nn.EmbeddingBag.from_pretrained(weight, mode="sum", padding_idx=0)
print(
    per_sample(
        torch.tensor([[3, 1, 0], [2, 5, 4]]), per_sample_weights=torch.tensor([[0.5, 2.0, 7.0], [1.0, 1.0, -1.0]])
    )[:, :3]
)
