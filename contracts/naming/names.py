"""Names that people write, of people and of models: what may stand in one, and when two are one.

Two different strings can look alike or be the same name: with a character that nothing shows, in
another width or case, composed or decomposed, or with a letter of another alphabet. What is
compared is therefore never the string but `comparable`; what enters is checked by `flaw`.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise

INVISIBLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800),
    (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Code points that show nothing: Unicode's Default_Ignorable_Code_Point, and Braille's blank."""

LOOKS_LIKE = str.maketrans(
    "авекмнорстухіјѕһԁԛԝьгпαβεζηικμνορτυχωγօոսհցɑɡıȷ",
    "abekmhopctyxijshdqwbrnabeznikmnoptuxwyonuhgagij",
)
"""Small letters of Cyrillic, Greek, Armenian and phonetics, and the Latin ones that they look like
as a small or as a capital letter (Unicode's confusables.txt, the ones of everyday fonts)."""

PUNCTUATION = "\u2019\u00b7\u2010"
"""What stands in names besides ASCII: the apostrophe, the middle dot of Catalan, the hyphen."""

SCRIPTS_WRITTEN_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)


def is_invisible(character: str) -> bool:
    """Return whether a character shows nothing: a control, a format or a filling character."""
    code = ord(character)
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or any(
        first <= code <= last for first, last in INVISIBLE
    )


def comparable(text: str) -> str:
    """Return what a name is compared by: two names are one if this is the same for both.

    Without invisible characters; in NFKC and without case; blanks are one space; letters that
    look like Latin ones are these.
    """
    visible = text
    # Folding can compose what was apart, and compose what folds again: until nothing changes.
    for _ in range(4):
        folded = unicodedata.normalize("NFKC", visible).casefold().replace("i\u0307", "i")
        folded = unicodedata.normalize("NFKC", folded)
        visible = "".join(c for c in folded if not is_invisible(c))
    return " ".join("".join(map(_digit, visible)).translate(LOOKS_LIKE).split())


def shown(text: str) -> str:
    """Return a text with a code point in place of each character that is hard to see or foreign."""
    return "".join(
        f"<U+{ord(c):04X}>" if is_invisible(c) or (c.isspace() and c != " ") else c for c in text
    )


def flaw(name: str) -> str | None:
    """Return why a name cannot be used, with the character and its place; None where it can."""
    for place, character in enumerate(name, start=1):
        if is_invisible(character) or (character.isspace() and character != " "):
            return f"character {place} is {described(character)}, which nobody can see"
        usual = character.isascii() or character.isalnum() or character in PUNCTUATION
        if not usual and unicodedata.category(character)[0] != "M":
            return f"character {place} is {described(character)}"
    composed = unicodedata.normalize("NFC", name)
    for place, character in enumerate(composed, start=1):
        if unicodedata.normalize("NFKC", character) != character:
            return f"character {place} is {described(character)}, another form of a usual one"
    for word in composed.split():
        if mixed := _mixed_alphabets(word):
            return f"it mixes letters of two alphabets: {mixed}"
    if not any(character.isalnum() for character in name):
        return "it has no letter and no digit"
    return None


def is_like_an_option(name: str) -> bool:
    """Return whether a command would take a name for one of its options."""
    return name.startswith("-")


def canonical(name: str) -> str:
    """Return the one spelling of a name: composed, and with single spaces inside only."""
    return unicodedata.normalize("NFC", " ".join(part for part in name.split(" ") if part))


def described(character: str) -> str:
    """Return a character's name and number in Unicode."""
    return f"{unicodedata.name(character, 'a character without a name')} (U+{ord(character):04X})"


def _digit(character: str) -> str:
    return str(unicodedata.decimal(character)) if character.isdecimal() else character


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0]


def _mixed_alphabets(word: str) -> str | None:
    letters = [c for c in word if c.isalpha() and unicodedata.category(c) != "Lm"]
    alphabets = {_alphabet(letter) for letter in letters}
    if len(alphabets) <= 1 or any(alphabets <= allowed for allowed in SCRIPTS_WRITTEN_TOGETHER):
        return None
    one, other = next((a, b) for a, b in pairwise(letters) if _alphabet(a) != _alphabet(b))
    return f"{described(one)} and {described(other)}"
