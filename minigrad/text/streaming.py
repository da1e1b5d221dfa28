"""Text as it is generated, token by token, in parts that can be printed at once and never need to be taken back."""

from __future__ import annotations

from typing import Any

from minigrad.text.strings import integers
from minigrad.text.tokenizer import Tokenizer

__all__ = ["Streamer"]

UNFINISHED = "\ufffd"  # what a decoder makes of the first bytes of a character whose others are still to come
LONGEST = 4  # tokens that a character may take, one for each byte


class Streamer:
    """Turns tokens into text as they come: all that `put` and `end` return is the text of all tokens.

        streamer = Streamer(tokenizer, prompt=prompt)
        for token in tokens:
            print(streamer.put(token), end="", flush=True)
        print(streamer.end())

    `put` holds back half a character, and with a tokenizer that cleans up spaces the last two words, because a mark or
    an ending may be joined to them yet. `prompt` are the tokens that come before: they are not printed, but decide
    whether a space stands before the first word.
    """

    def __init__(self, tokenizer: Tokenizer, skip_special_tokens: bool = True, prompt: Any = ()) -> None:
        self.tokenizer, self.skip_special_tokens = tokenizer, skip_special_tokens
        # Decoding all tokens anew for each would take n² steps; a window of the last ones is enough. The text of its
        # first `settled` tokens is out already: they are there because a token's text depends on what is before it.
        self._window = integers(prompt)
        self._settled = len(self._window)
        self._out = len(self._decode(self._window).rstrip(UNFINISHED))  # characters of the window's text that are out

    def put(self, token: Any) -> str:
        """Take a token (an int, or an array or Tensor of one); the text that is now certain, often none."""
        self._window += integers(token)
        text = self._decode(self._window)
        stable = self._stable(text)
        new, self._out = text[self._out : stable], max(self._out, stable)
        if stable == len(text) and not self.tokenizer.clean_up_tokenization_spaces:
            self._move(text)
        return new

    def end(self) -> str:
        """The text that was held back; the streamer is then ready for another sequence."""
        rest = self._decode(self._window)[self._out :]
        self._window, self._settled, self._out = [], 0, 0
        return rest

    def _stable(self, text: str) -> int:
        """How many characters of the window's text stay as they are, whatever comes."""
        if self.tokenizer.clean_up_tokenization_spaces:
            words = text.rstrip(UNFINISHED).rsplit(" ", 2)
            return len(words[0]) if len(words) == 3 else 0
        if not text.endswith(UNFINISHED):
            return len(text)
        if len(self._window) - self._settled <= LONGEST:
            return len(text.rstrip(UNFINISHED))
        return len(text) - 1  # the bytes before the last cannot become a character any more

    def _move(self, text: str) -> None:
        """All text is out: drop the tokens before those that came last, unless these alone have another text."""
        fresh = self._window[self._settled :]
        alone = self._decode(fresh)
        if alone and text.endswith(alone):
            self._window, self._out = fresh, len(alone)
        self._settled = len(self._window)

    def _decode(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=self.skip_special_tokens)
