"""Every way to feed a network: datasets of three kinds, samplers, collate functions, splits, weights, generators."""

import csv
import os
import random
import tempfile
from itertools import chain, islice

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
    random_split,
)


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


set_seed(17)
folder = tempfile.mkdtemp()
path = os.path.join(folder, "iris.csv")
with open(path, "w", newline="") as f:
    writer = csv.writer(f)
    writer.writerow(["a", "b", "c", "label"])
    for i in range(50):
        kind = "rare" if i % 10 == 0 else "common"
        writer.writerow([round(random.gauss(i % 3, 1), 3), round(random.random(), 3), i / 10, kind])


class CsvDataset(Dataset):
    """Rows of a file, with an optional transform."""

    def __init__(self, csv_file, transform=None):
        with open(csv_file) as f:
            self.rows = list(csv.DictReader(f))
        self.transform = transform
        self.classes = sorted(set(r["label"] for r in self.rows))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        row = self.rows[idx]
        x = np.array([float(row[k]) for k in "abc"])
        sample = {"x": x, "y": self.classes.index(row["label"]), "name": row["label"], "ok": x[0] > 0}
        return self.transform(sample) if self.transform else sample


class ToTensor(object):
    def __call__(self, sample):
        sample["x"] = torch.from_numpy(sample["x"]).float()
        return sample


class Jitter(object):
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, sample):
        sample["x"] = sample["x"] + self.scale * torch.randn(3)
        return sample


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, x):
        for t in self.transforms:
            x = t(x)
        return x


data = CsvDataset(path, Compose([ToTensor(), Jitter(0.01)]))
print(len(data), data.classes, data[torch.tensor(3)])
train, val, test = random_split(data, [0.6, 0.2, 0.2], generator=torch.Generator().manual_seed(42))
print(len(train), len(val), len(test), val.indices)
batch = next(iter(DataLoader(train, batch_size=4, shuffle=True)))
print({k: (v.shape, v.dtype) if torch.is_tensor(v) else v for k, v in batch.items()})
print(batch["x"], batch["y"])

# balance classes by weights
targets = torch.tensor([data[i]["y"] for i in range(len(data))])
class_count = torch.bincount(targets)
weights = 1.0 / class_count.float()
sampler = WeightedRandomSampler(weights[targets], num_samples=60, replacement=True)
loader = DataLoader(data, batch_size=20, sampler=sampler)
print(class_count, [b["y"].float().mean().item() for b in loader])

# sequences of different lengths
sequences = [torch.arange(1, n + 1) for n in (3, 5, 2, 4)]


def collate_fn(batch):
    seqs, labels = zip(*sorted(batch, key=lambda p: -len(p[0])))
    lengths = torch.tensor([len(s) for s in seqs])
    return pad_sequence(seqs, batch_first=True, padding_value=-1), lengths, torch.stack(labels)


pairs = list(zip(sequences, torch.tensor([0, 1, 0, 1])))
padded, lengths, labels = next(iter(DataLoader(pairs, batch_size=4, collate_fn=collate_fn)))
print(padded, lengths, labels)
packed = pack_padded_sequence(padded.float().unsqueeze(-1), lengths, batch_first=True)
print(packed.data.flatten(), packed.batch_sizes)
unpacked, back = pad_packed_sequence(packed, batch_first=True, padding_value=0.5)
print(unpacked.squeeze(-1), back)
mask = torch.arange(padded.size(1))[None, :] < lengths[:, None]
print(mask.sum(), (padded * mask).sum(1))


# streams
class Stream(IterableDataset):
    def __init__(self, start, end):
        super(Stream).__init__()
        assert end > start
        self.start, self.end = start, end

    def __iter__(self):
        worker_info = get_worker_info()
        assert worker_info is None
        return iter(range(self.start, self.end))


class Windows(IterableDataset):
    def __init__(self, source, size):
        self.source, self.size = source, size

    def __iter__(self):
        it = iter(self.source)
        window = list(islice(it, self.size))
        while len(window) == self.size:
            yield torch.tensor(window[:-1]), torch.tensor(window[-1])
            window = window[1:] + list(islice(it, 1))


print([b.tolist() for b in DataLoader(Stream(3, 10), batch_size=3)])
print([b.tolist() for b in DataLoader(Stream(3, 10) + Stream(0, 2), batch_size=4, drop_last=True)])
print(len(list(ChainDataset([Stream(0, 3), Stream(5, 6)]))))
for x, y in DataLoader(Windows(Stream(0, 8), 4), batch_size=3):
    print(x.tolist(), y.tolist())


# samplers of one's own
class BucketSampler(Sampler):
    """Batches of similar length, in random order."""

    def __init__(self, lengths, batch_size):
        self.lengths, self.batch_size = lengths, batch_size

    def __iter__(self):
        order = sorted(range(len(self.lengths)), key=lambda i: self.lengths[i])
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        random.shuffle(batches)
        return iter(batches)

    def __len__(self):
        return (len(self.lengths) + self.batch_size - 1) // self.batch_size


ragged = [torch.ones(int(n)) for n in torch.randint(1, 9, (11,))]
loader = DataLoader(ragged, batch_sampler=BucketSampler([len(r) for r in ragged], 3), collate_fn=pad_sequence)
print(len(loader), [tuple(b.shape) for b in loader])
print(list(BatchSampler(SequentialSampler(range(7)), batch_size=3, drop_last=True)))
print(
    list(RandomSampler(range(6))),
    list(RandomSampler(range(3), replacement=True, num_samples=5)),
    list(SubsetRandomSampler([2, 4, 6])),
)
both = ConcatDataset(
    [TensorDataset(torch.arange(3), torch.zeros(3)), TensorDataset(torch.arange(10, 14), torch.ones(4))]
)
print(len(both), both[4], both.cumulative_sizes, Subset(both, [0, 6])[1])
print(default_collate([(1, 2.5, "a"), (3, 4.5, "b")]), default_collate([{"k": np.float32(1)}, {"k": np.float32(2)}]))


# two loaders at once, the shorter one around and around; k folds; statistics of the training set in batches
def cycle(loader):
    while True:
        for x in loader:
            yield x


labelled = DataLoader(
    TensorDataset(torch.arange(4.0)), batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(0)
)
unlabelled = DataLoader(TensorDataset(torch.arange(12.0)), batch_size=3, shuffle=True)
for (a,), (b,) in zip(cycle(labelled), unlabelled):
    print(a.tolist(), b.tolist())
indices = np.random.permutation(len(data))
for k, fold in enumerate(np.array_split(indices, 3)):
    rest = np.setdiff1d(indices, fold)
    train_loader = DataLoader(Subset(data, rest), batch_size=16)
    total, square, count = 0.0, 0.0, 0
    for batch in train_loader:
        total += batch["x"].double().sum(0)
        square += batch["x"].double().pow(2).sum(0)
        count += len(batch["x"])
    mean = total / count
    print(k, count, mean, (square / count - mean**2).sqrt())
print(sum(1 for _ in chain.from_iterable(DataLoader(range(10), batch_size=4))))
os.remove(path)
os.rmdir(folder)
