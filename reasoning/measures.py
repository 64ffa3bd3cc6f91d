"""Amounts of the measure that is asked for: "how heavy" is told in kilos, not in metres, and "how long"
not by how many of something there are."""

from __future__ import annotations

import re

from reasoning.words import STOP, stem

_UNITS = {
    unit: measure
    for measure, units in {
        "time": "second sec minute min hour hr day week fortnight month year decade",
        "length": "metre meter kilometre kilometer km centimetre centimeter cm millimetre millimeter mm m mile "
        "yard inch foot storey",
        "weight": "gram kilo kilogram kg tonne ton pound lb ounce",
        "volume": "litre liter gallon pint",
        "heat": "degree",
        "speed": "mph knot",
        "pages": "page chapter",
    }.items()
    for unit in units.split()
}
_MEASURED = {
    "long": "time length pages", "far": "length time", "old": "time", "heavy": "weight",
    "tall": "length", "high": "length heat", "deep": "length", "wide": "length", "fast": "speed length",
    "big": "length volume weight", "large": "length volume weight",
}  # fmt: skip
_SAME = {
    "sec": "second", "min": "minute", "hr": "hour", "meter": "metre", "km": "kilometre",
    "kilometer": "kilometre", "cm": "centimetre", "centimeter": "centimetre", "mm": "millimetre",
    "millimeter": "millimetre", "kg": "kilo", "kilogram": "kilo", "liter": "litre",
    "lb": "pound", 
}  # fmt: skip
_WORD = re.compile(r"[a-z]+", re.I)
_ASKED = re.compile(rf"\bhow ({'|'.join(_MEASURED)})\b", re.I)


def units(text: str) -> set[str]:
    """What its amounts are counted in: "minute" of "fifty minutes". One is told by how it is short
    for it too: "50 min". Letters alone and "second" have other meanings."""
    return {
        _SAME.get(unit, unit)
        for match in _WORD.finditer(text)
        if (unit := stem(match[0].lower())) in _UNITS and unit not in ("m", "second")
    }


def measures(value: str, text: str, question: str) -> bool:
    """May the value, as it stands in the text, be the measure asked for? Where none is, it may."""
    asked = _ASKED.search(question)
    following = re.match(r" ?([a-z]+)\b", text.partition(value)[2])
    if asked is None or following is None:
        return True
    unit = stem(following[1])
    if unit in _UNITS:
        return _UNITS[unit] in _MEASURED[asked[1].lower()].split()
    return not following[1].endswith("s") or following[1] in STOP
