"""Cleaning of text that was scraped from pages or typed by people, step by step, each step by choice."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Literal, cast

__all__ = ["clean_text"]

FORMS = ("NFC", "NFD", "NFKC", "NFKD")

# Tags are known by name, so that <unk>, <3 and 《》 written as <红楼> stay.
BLOCKS = (
    "address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|"
    "h[1-6]|head|header|hr|html|li|main|nav|ol|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
INLINE = (
    "a|abbr|acronym|b|big|button|cite|code|del|dfn|em|embed|font|i|iframe|img|input|ins|kbd|label|link|mark|meta|"
    "object|option|param|q|s|samp|select|small|source|span|strike|strong|sub|sup|svg|textarea|time|tt|u|var|video"
)
# What is no text: comments, scripts, style sheets. One without an end runs to the end of the text, as in a browser.
UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
BLOCK_TAG = re.compile(rf"</?(?:{BLOCKS})(?:[\s/][^<>]*)?>|<!doctype[^<>]*>", re.IGNORECASE)
INLINE_TAG = re.compile(rf"</?(?:{INLINE})(?:[\s/][^<>]*)?>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z][a-zA-Z\d]{1,31});")
# ASCII only, so that Chinese may follow at once; the last character is none that ends a sentence or a bracket.
URL = re.compile(r"(?<![a-zA-Z\d])(?:(?:https?|ftp)://|www\.)[\w.~:/?#\[\]@!$&'()*+,;=%-]*[\w/#=&~-]", re.ASCII | re.I)
# Control characters but for white space, soft hyphens, zero-width blanks and joints, byte order marks, surrogates.
UNWANTED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u2060\ufeff\ud800-\udfff]")


def clean_text(
    text: str, *, form: str | None = "NFC", html: bool = True, urls: bool = True, controls: bool = True,
    lower: bool = False, spaces: bool = True, keep_lines: bool = False,
) -> str:  # fmt: skip
    """`text` without what a model should not learn. In this order:

    - `html`: tags go (one that breaks the line leaves a line break, `<b>` nothing), then entities become characters:
      `&amp;` is `&`, once. Only names that HTML has count: `<unk>` and `a < b` stay.
    - `urls`: `http(s)://`, `ftp://` and `www.` addresses leave a blank.
    - `controls`: control characters but for white space go, and so do soft hyphens, zero-width blanks, byte order
      marks and lone surrogates. Joiners that scripts and emoji need (U+200C, U+200D) stay.
    - `form`: Unicode normalisation. NFC joins letters and accents; NFKC makes full-width letters and ligatures plain
      besides (and ² into 2); None leaves all as it is.
    - `lower`: lower case.
    - `spaces`: runs of white space become one blank, those at the ends nothing; with `keep_lines` a run that has a
      line break becomes one line break.

    Raises TypeError for anything but a str, ValueError for an unknown form.
    """
    if not isinstance(text, str):
        raise TypeError(f"clean_text takes a str, got {type(text).__name__}; decode bytes first")
    if form is not None and form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)} or None, got {form!r}")
    if html:
        text = INLINE_TAG.sub("", BLOCK_TAG.sub("\n", UNSEEN.sub(" ", text)))
    if urls:  # before entities: an address may hold &amp;
        text = URL.sub(" ", text)
    if html:
        text = ENTITY.sub(_character, text)
    if controls:
        text = UNWANTED.sub("", text)
    text = _normalised(text, form)
    if lower:
        text = _normalised(text.lower(), form)  # lower case may need joining again: J with a caron, for one
    if spaces:
        text = re.sub(r"\s+", _one_break if keep_lines else " ", text).strip()
    return text


def _normalised(text: str, form: str | None) -> str:
    return text if form is None else unicodedata.normalize(cast(Literal["NFC"], form), text)


def _one_break(match: re.Match[str]) -> str:
    return "\n" if re.search(r"[\n\r\v\f\x85\u2028\u2029]", match[0]) else " "


def _character(match: re.Match[str]) -> Any:
    """The character of an entity; a name that HTML does not have stays as it is."""
    import html  # with its table of 2,231 names, which most runs do not need
    from html.entities import html5

    if match[0][1] == "#":
        return html.unescape(match[0])
    return html5.get(match[0][1:], match[0])
