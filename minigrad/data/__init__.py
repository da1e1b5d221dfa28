"""Datasets, samplers, the DataLoader, and readers of real data. The first three are `torch.utils.data` by name."""

from minigrad.data.cache import DataFile, cache_dir, fetch, fetch_member
from minigrad.data.cifar import CIFAR10
from minigrad.data.clean import clean_text
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
from minigrad.data.multi30k import Multi30k
from minigrad.data.poems import Poem, TangPoems
from minigrad.data.prefetch import Prefetcher
from minigrad.data.reading import read_text, read_tsv
from minigrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.data.sentiment import IMDB, SST2, ChnSentiCorp
from minigrad.data.source import FILE_BREAK, python_source
from minigrad.data.splits import kfold, shared_rows, stratified_split, unique_rows
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
from minigrad.data.wikitext import Article, WikiText2
from minigrad.data.word_dropout import word_dropout

__all__ = [
    "CIFAR10",
    "FILE_BREAK",
    "IMDB",
    "MNIST",
    "SST2",
    "TOPIC_BREAK",
    "Article",
    "BatchSampler",
    "ChainDataset",
    "CharTokenizer",
    "ChnSentiCorp",
    "ConcatDataset",
    "DataFile",
    "DataLoader",
    "Dataset",
    "Digits",
    "FashionMNIST",
    "IterableDataset",
    "Multi30k",
    "Poem",
    "Prefetcher",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TangPoems",
    "TensorDataset",
    "WeightedRandomSampler",
    "WikiText2",
    "bigram_loss",
    "cache_dir",
    "clean_text",
    "collate",
    "default_collate",
    "default_collate_fn_map",
    "default_convert",
    "fetch",
    "fetch_member",
    "get_worker_info",
    "kfold",
    "known_word_share",
    "names",
    "python_docs",
    "python_source",
    "random_split",
    "read_idx",
    "read_text",
    "read_tsv",
    "shared_rows",
    "stratified_split",
    "tinyshakespeare",
    "train_validation_split",
    "unique_rows",
    "word_dropout",
]
