"""Words as a recogniser confuses them: by letters, by consonants, by rhyme."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

from reasoning.words import stem

_RHYMES = 0.6  # likeness of two names' sounds from which one may be the other misheard
_TOUCHED = 0.5  # share of letters that words of one sound still have in common


@lru_cache(maxsize=8192)
def sounds_like(a: str, b: str) -> bool:
    """Could a recogniser have written name `b` for name `a`? Letters, then sound."""
    a, b = a.lower(), b.lower()
    if a == b or stem(a) == stem(b):
        return True
    if min(len(a), len(b)) < 4 or any(ch.isdigit() for ch in a + b):
        return False
    ratio = SequenceMatcher(None, a, b).ratio()
    if _sound(a) == _sound(b):
        return ratio >= 0.6
    return ratio >= 0.84 and abs(len(a) - len(b)) <= 2 and min(len(a), len(b)) >= 6


@lru_cache(maxsize=8192)
def misheard(a: str, b: str) -> bool:
    """Could everyday word `a` have been written `b`: a letter apart, or alike in sound? Looser than
    `sounds_like`; only worth something where another word of the question is there for certain."""
    a, b = a.lower(), b.lower()
    if min(len(a), len(b)) < 4 or not (a + b).isalpha() or _sound(a)[:1] != _sound(b)[:1]:
        return False
    if a[0] == b[0] and one_apart(a, b):
        return True
    # m and n are told apart badly, and a vowel at the end may be silent.
    x, y = (_sound(w).replace("m", "n").rstrip("a") for w in (a, b))
    return x == y and SequenceMatcher(None, a, b).ratio() >= _TOUCHED


@lru_cache(maxsize=8192)
def rhymes(a: str, b: str) -> bool:
    """Could name `a` have been written `b`, another word of as many syllables and much the same
    sounds: "Peter" and "Gator", "Sophie" and "Toffee"?"""
    x, y = _syllables(a.lower()), _syllables(b.lower())
    if min(len(a), len(b)) < 4 or x.count("V") != y.count("V"):
        return False
    return SequenceMatcher(None, x, y).ratio() >= _RHYMES and x[-2:] == y[-2:]


def one_apart(a: str, b: str) -> bool:
    """Are the words one letter put in, left out or changed apart?"""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    short, long = sorted((a, b), key=len)
    at = next((n for n, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


_SOUND_CLASSES = (
    (re.compile(r"^h(?=[aeiou])"), ""), (re.compile(r"(?<=[aeiouy])h$"), ""), (re.compile(r"^kn"), "n"),
    (re.compile(r"^wr"), "r"), (re.compile(r"mb$"), "m"), (re.compile(r"ight"), "it"),
    (re.compile(r"gh|ph"), "f"), (re.compile(r"tch|ch|sh"), "j"), (re.compile(r"ck|c(?![eiy])|q"), "k"),
    (re.compile(r"c|z|x"), "s"), (re.compile(r"tt?h"), "t"), (re.compile(r"d"), "t"),
    (re.compile(r"b"), "p"), (re.compile(r"v"), "f"), (re.compile(r"g"), "k"),
    (re.compile(r"(.)\1+"), r"\1"),
)  # fmt: skip


def _classed(word: str) -> str:
    for pattern, to in _SOUND_CLASSES:
        word = pattern.sub(to, word)
    return word


def _sound(word: str) -> str:
    """Consonants by class in order, vowels only marked where a word begins or ends with one."""
    word = _classed(word)
    ends = "a" if word[-1:] in "aeiouy" else ""
    begins = "a" if word[:1] in "aeiouy" else ""
    consonants = re.sub(r"[aeiouyhw]", "", word)
    return begins + re.sub(r"(.)\1+", r"\1", consonants) + ends


def _syllables(word: str) -> str:
    """Consonants by class, each run of vowels a V; a silent e at the end is none."""
    word = re.sub(r"(?<=[^aeiouy])e$", "", word)
    return re.sub(r"[aeiouy]+", "V", _classed(word))
