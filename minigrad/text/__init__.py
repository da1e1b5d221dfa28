"""Tokenizers: text to tokens and back, for language models.

    tokenizer = load_tokenizer(folder)                  # of GPT-2, BERT, Llama 2, llama2.c, or one of ours
    batch = tokenizer(texts, padding=True, return_tensors="mg")

tokenizer.py has what all kinds can do; own.py, library.py, sentencepieces.py and llama2c.py are the kinds.
"""

from minigrad.data.text import CharTokenizer
from minigrad.text.encoding import Encoding, pad
from minigrad.text.library import BPETokenizer, LibraryTokenizer, WordPieceTokenizer
from minigrad.text.llama2c import Llama2cTokenizer
from minigrad.text.load import load_tokenizer
from minigrad.text.own import ByteTokenizer, CharacterTokenizer, ListTokenizer, WordTokenizer
from minigrad.text.sentencepieces import SentencePieceTokenizer
from minigrad.text.streaming import Streamer
from minigrad.text.tokenizer import Tokenizer
from minigrad.text.train import train_bpe, train_sentencepiece, train_wordpiece

__all__ = [
    "BPETokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "CharacterTokenizer",
    "Encoding",
    "LibraryTokenizer",
    "ListTokenizer",
    "Llama2cTokenizer",
    "SentencePieceTokenizer",
    "Streamer",
    "Tokenizer",
    "WordPieceTokenizer",
    "WordTokenizer",
    "load_tokenizer",
    "pad",
    "train_bpe",
    "train_sentencepiece",
    "train_wordpiece",
]
