"""`NumberTokens`: which tokens of a vocabulary are numbers, and which ones."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from offby.grounds import Line

# A sign, digits, a decimal point. "1,000" is a thousand here and one elsewhere, "5."
# may end a sentence, and "1e5" is as often a name: these are no numbers.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)", re.ASCII)
# What tokenizers write for the space before a word (byte-level BPE, SentencePiece), and
# for pieces inside or at the end of a word (WordPiece, BPE of fairseq and of GPT).
_BEFORE, _AFTER = ("Ġ", "▁", "##"), ("</w>", "@@")


@dataclass(frozen=True, init=False, repr=False)
class NumberTokens:
    """The tokens of a vocabulary that are numbers, and their values.

    Tokens of digits, with a sign or a decimal point if the tokenizer has such pieces,
    with or without the mark of a leading space: "7", "▁7", "Ġ7", "##7", "42", "-3",
    "2.5", ".5". Several tokens of one value are one class: "7" and " 7" are not apart.
    The tokenizer is not changed.

    A token is taken at its own value, whatever stands around it: the first digit of
    47 counts as 4. Where a tokenizer cuts numbers at random ("20|19", "201|9"), values
    of pieces mean little; one token for each digit, or for each whole number, is best.

    Digits of other scripts (Arabic-Indic, fullwidth, superscripts) are left out, and
    are listed in `other_scripts`.

    Args:
        tokenizer: One of `transformers` or `tokenizers`, or a mapping from token to
            index. Tokens that are bytes, as tiktoken's are, are read as UTF-8.
        digits_only: Take single digits only, and leave "42" out, as in the paper.

    Raises:
        ValueError: If fewer than two values are found. The message says what was found
            instead.

    References:
        Zausinger et al. (2025), Regress, don't guess: a regression-like loss on number
        tokens for language models, ICML, arXiv:2411.02083.

    >>> NumberTokens({"a": 0, "1": 1, "Ġ1": 2, "##20": 3, "-3": 4, "٣": 5})
    NumberTokens(3 values from -3 to 20 in 4 tokens; left out: '٣')
    """

    values: tuple[float, ...]
    """The distinct values, increasing."""
    tokens: tuple[tuple[int, ...], ...]
    """Of each value, the indices of its tokens."""
    other_scripts: tuple[str, ...] = ()
    """Tokens that are numbers in another script and were left out."""

    def __init__(self, tokenizer: Any, *, digits_only: bool = False) -> None:
        vocabulary = _vocabulary(tokenizer)
        of_bytes = any("Ġ" in token for token, _ in vocabulary)
        found: dict[float, list[int]] = {}
        others = []
        for token, index in sorted(vocabulary, key=lambda t: t[1]):
            text = _text(token)
            if _NUMBER.fullmatch(text):
                if not digits_only or len(text) == 1:
                    found.setdefault(float(text), []).append(index)
            elif _in_another_script(_written(text) if of_bytes else text):
                others.append(token)
        if len(found) < 2:
            raise ValueError(
                "a vocabulary must have tokens for at least two numbers in the digits "
                f"0 to 9, got {len(found)}{_named(others)}; train the tokenizer with "
                "its digits in the alphabet, or add them with add_tokens"
            )
        values = tuple(sorted(found))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "tokens", tuple(tuple(found[v]) for v in values))
        object.__setattr__(self, "other_scripts", tuple(others))

    def line(self) -> Line:
        """The values as a ground, for the losses that know distances.

        >>> NumberTokens({"0": 0, "1": 1, "5": 2}).line()
        Line(3 classes from 0 to 5, gaps 1 to 4)
        """
        return Line(self.values)

    def value(self, labels: Tensor) -> Tensor:
        """Value of each token, NaN where it is no number: for metrics and for decoding.

        >>> tokens = NumberTokens({"a": 0, "5": 1, " ": 2, "7": 3})
        >>> tokens.value(torch.tensor([[0, 1], [3, -100]]))
        tensor([[nan, 5.],
                [7., nan]])
        """
        most = max(index for entry in self.tokens for index in entry)
        table = torch.full((most + 2,), torch.nan, device=labels.device)
        for value, entry in zip(self.values, self.tokens, strict=True):
            table[list(entry)] = value
        inside = (labels >= 0) & (labels <= most)
        return table[labels.where(inside, most + 1)]

    def __repr__(self) -> str:
        n = sum(map(len, self.tokens))
        low, high = self.values[0], self.values[-1]
        left = _named(list(self.other_scripts))
        return (
            f"NumberTokens({len(self.values)} values from {low:g} to {high:g} in {n} "
            f"tokens{left})"
        )


def _vocabulary(tokenizer: Any) -> list[tuple[str, int]]:
    """Tokens and indices, without those that mark beginnings, ends and padding."""
    if isinstance(tokenizer, Mapping):
        return _as_text(tokenizer)
    if not hasattr(tokenizer, "get_vocab"):
        raise TypeError(
            "tokenizer must be one of transformers or tokenizers, or a mapping from "
            f"token to index, got {type(tokenizer).__name__}"
        )
    special = set(getattr(tokenizer, "all_special_ids", ()))
    if hasattr(tokenizer, "get_added_tokens_decoder"):
        added = tokenizer.get_added_tokens_decoder()
        special |= {index for index, token in added.items() if token.special}
    vocabulary = _as_text(tokenizer.get_vocab())
    return [(token, index) for token, index in vocabulary if index not in special]


def _as_text(vocabulary: Mapping[Any, int]) -> list[tuple[str, int]]:
    """Tokens that are bytes become text; a part of a character is no number."""
    return [
        (token.decode(errors="replace") if isinstance(token, bytes) else token, index)
        for token, index in vocabulary.items()
    ]


def _text(token: str) -> str:
    """A token without the marks of spaces and pieces."""
    for mark in _BEFORE:
        token = token.removeprefix(mark)
    for mark in _AFTER:
        token = token.removesuffix(mark)
    return token.strip(" ")


def _written(text: str) -> str:
    """What the characters of a byte-level token stand for."""
    if text.isascii() or not all(char in _BYTES for char in text):
        return text
    return bytes(_BYTES[char] for char in text).decode(errors="replace")


def _in_another_script(text: str) -> bool:
    """Whether all of it is digits, some not of 0 to 9."""
    if text.isascii() or not text:
        return False
    return all(unicodedata.digit(char, None) is not None for char in text)


def _named(others: list[str]) -> str:
    if not others:
        return ""
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"; left out: {', '.join(map(repr, others[:3]))}{more}"


def _bytes_by_character() -> dict[str, int]:
    """The byte of each character in a byte-level vocabulary, as GPT-2 began it.

    Printable characters of Latin-1 stand for themselves, and the other bytes, in their
    order, for the characters from 256 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    rest = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + k): byte for k, byte in enumerate(rest)}


_BYTES = _bytes_by_character()
