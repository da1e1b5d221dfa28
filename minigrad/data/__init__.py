"""Datasets, samplers, the DataLoader, and readers of real data. The first three are `torch.utils.data` by name."""

from minigrad.data.cache import DataFile, cache_dir, fetch
from minigrad.data.collate import collate, default_collate, default_collate_fn_map, default_convert
from minigrad.data.dataloader import DataLoader, get_worker_info
from minigrad.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from minigrad.data.digits import Digits
from minigrad.data.mnist import MNIST, FashionMNIST, read_idx
from minigrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.data.text import (
    TOPIC_BREAK,
    CharTokenizer,
    bigram_loss,
    known_word_share,
    names,
    python_docs,
    tinyshakespeare,
    train_validation_split,
)
from minigrad.data.word_dropout import word_dropout

__all__ = [
    "MNIST",
    "TOPIC_BREAK",
    "BatchSampler",
    "ChainDataset",
    "CharTokenizer",
    "ConcatDataset",
    "DataFile",
    "DataLoader",
    "Dataset",
    "Digits",
    "FashionMNIST",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "bigram_loss",
    "cache_dir",
    "collate",
    "default_collate",
    "default_collate_fn_map",
    "default_convert",
    "fetch",
    "get_worker_info",
    "known_word_share",
    "names",
    "python_docs",
    "random_split",
    "read_idx",
    "tinyshakespeare",
    "train_validation_split",
    "word_dropout",
]
