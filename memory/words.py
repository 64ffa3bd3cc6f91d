"""The words of a text as search compares them: lower case, without endings, function words gone.

A light stemmer for English: irregular forms are looked up, then an inflection and a derivation are
cut. It only has to send the forms of one word to one string; the strings need not be words. Other
languages keep their words whole, and scripts without spaces are compared character by character.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Kana, CJK ideographs and Hangul each stand alone; elsewhere a run of letters and digits is a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")

FUNCTION_WORDS = frozenset(
    """a an the and or but if of in on at to for from by with about as into over after before is are
    was were be been being am do does did have has had i you he she it we they me him her us them my
    your his its our their this that these those what which who whom whose when where why how not no
    so than too very can could will would shall should may might must just there here s t m re ve ll
    d some any all most more such only own same then once while during both each other""".split()
)

_IRREGULAR_FORMS = """
    be: being; begin: began begun; break: broke broken; bring: brought; build: built; buy: bought;
    catch: caught; choose: chose chosen; come: came; draw: drew drawn; drink: drank drunk;
    drive: drove driven; eat: ate eaten; fall: fell fallen; feel: felt; find: found; fly: flew flown;
    forget: forgot forgotten; get: got gotten; give: gave given; go: went gone; grow: grew grown;
    hear: heard; hold: held; keep: kept; know: knew known; lead: led; leave: left; lose: lost;
    make: made; meet: met; pay: paid; read: read; ride: rode ridden; ring: rang rung; run: ran;
    say: said; see: saw seen; sell: sold; send: sent; show: shown; sing: sang sung; sit: sat;
    sleep: slept; speak: spoke spoken; spend: spent; stand: stood; swim: swam swum;
    take: took taken; teach: taught; tell: told; think: thought; throw: threw thrown;
    understand: understood; wake: woke woken; wear: wore worn; win: won; write: wrote written;
    kid: child children kids; man: men; woman: women; person: people; foot: feet; tooth: teeth;
    mouse: mice; life: lives; wife: wives; knife: knives; leaf: leaves; half: halves
"""
IRREGULAR = {
    form: base.strip()
    for base, forms in (entry.split(":") for entry in _IRREGULAR_FORMS.split(";"))
    for form in forms.split()
}

# Ending, what takes its place, and how many letters must be left before it.
_INFLECTIONS = (
    ("ational", "ate", 3),
    ("ization", "ize", 3),
    ("fulness", "ful", 3),
    ("iveness", "ive", 3),
    ("ies", "y", 2),
    ("ied", "y", 2),
    ("sses", "ss", 2),
    ("ings", "", 3),
    ("ing", "", 3),
    ("edly", "", 3),
    ("ed", "", 3),
    ("ers", "er", 3),
    ("es", "", 3),
    ("s", "", 3),
)
_DERIVATIONS = tuple("""ement ment ness able ible ance ence ity ful ive er or ly al ion""".split())
STEM_LETTERS = 4  # what a derivation leaves; less would send unlike words together


def words(text: str) -> list[str]:
    """The words of the text in order, folded (NFKC, case) and whole."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def stems(text: str) -> list[str]:
    """The stems of the text's content words, in order, repeats included."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The string that this folded word shares with its other forms."""
    word = IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isascii():
        return word
    return _settled(_underived(_uninflected(word)))


def _uninflected(word: str) -> str:
    if word.endswith("ss"):
        return word
    for ending, instead, left in _INFLECTIONS:
        if word.endswith(ending) and len(word) - len(ending) >= left:
            return word[: -len(ending)] + instead
    return word


def _underived(word: str) -> str:
    for ending in _DERIVATIONS:
        if word.endswith(ending) and len(word) - len(ending) >= STEM_LETTERS:
            return word[: -len(ending)]
    return word


def _settled(word: str) -> str:
    """One spelling for running/run, loved/love, cities/city."""
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "y":
        word = word[:-1] + "i"
    return word
