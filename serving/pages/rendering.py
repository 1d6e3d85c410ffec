"""Templates and languages. What is not a sentence of ours stands on a page as it is, in English."""

from __future__ import annotations

import gettext
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts.naming.units import unit_in_words
from contracts.naming.worded import Worded
from contracts.vocabulary import vocabulary
from contracts.vocabulary.changes import Amount

LANGUAGES: Mapping[str, tuple[str, str]] = {"en": ("English", "ltr"), "ur": ("اردو", "rtl")}
"""Of each language its own name, and the direction that it is written in."""

UNREVIEWED = frozenset({"ur"})
"""Languages whose words no native clinician has reviewed."""

FOLDER = Path(__file__).parent
LOCALE = FOLDER / "locale"


def later(message: str) -> str:
    """Mark a message that is translated where it is shown."""
    return message


UNITS = frozenset({
    later("point"), later("points"), later("metre"), later("metres"), later("metre a second"),
    later("metres a second"), later("second"), later("seconds"), later("degree"), later("degrees"),
    later("count a minute"), later("counts a minute"), later("hours a day"),
    later("minutes a day"), later("a day"), later("a minute"),
})  # fmt: skip
"""Units that have words in every language (`contracts.naming.units`); others are signs."""


def unit_of(code: str) -> str:
    """Return a code's unit as it stands behind a number."""
    entry = vocabulary().get(code)
    return "" if entry is None else unit_in_words(entry.unit)


@dataclass(frozen=True, slots=True)
class Say:
    """Words in a language: called with a message in English, and what stands in its places."""

    language: str

    def __call__(self, message: str, **values: Any) -> str:
        """Return a message in the language."""
        text = translations(self.language).gettext(message) if message else ""
        return text % values if values else text

    def ngettext(self, one: str, many: str, num: int) -> str:
        """Return a number with the word that fits it."""
        return translations(self.language).ngettext(one, many, num) % {"num": num}

    @property
    def direction(self) -> str:
        """Direction that the language is written in."""
        return LANGUAGES[self.language][1]

    def translated(self, text: str) -> tuple[str, str]:
        """Return a text of a refusal, and the language that it is in.

        What was `Worded` is said from its message; a text that no catalogue has stays English.
        """
        if isinstance(text, Amount):
            return self.amount_of(text.unit, text.shown), self.language
        message = text.message if isinstance(text, Worded) else text
        found = translations(self.language).gettext(message) if message else ""
        if self.language == "en" or found == message:
            return str(text), "en"
        if not isinstance(text, Worded) or not text.values:
            return found, self.language
        return found % {name: self._in_place(v) for name, v in text.values.items()}, self.language

    def _in_place(self, value: Any) -> Any:
        """Return what stands in a place of a sentence: in the language, or kept in its order."""
        if isinstance(value, Worded):
            return self.translated(value)[0]
        return self.isolated(value) if isinstance(value, str) else value

    def isolated(self, text: Any) -> str:
        """Keep the order of a date, or of a number and its sign, where words run to the left."""
        return str(text) if self.direction == "ltr" else f"\u2066{text}\u2069"

    def unit(self, code: str) -> str:
        """Return the unit of a code as it stands in the head of a table or at a scale."""
        unit = unit_of(code)
        return self(unit) if unit in UNITS else self.isolated(unit)

    def amount(self, code: str, shown: str) -> str:
        """Return a score or a change as it is shown, with its unit, as a sentence says it."""
        return self.translated(Amount(code, shown))[0]

    def amount_of(self, unit: str, shown: str) -> str:
        """Return a number with a unit; the order of a sign or an English unit is kept."""
        if unit not in UNITS:
            return self.isolated(f"{shown} {unit}".rstrip())
        return f"{self.isolated(shown)} {self(unit)}"

    def date(self, day: Any) -> str:
        """Return a date as people write it."""
        return format_date(day, "d MMMM yyyy", locale=self.language)


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language; English is what stands in the source."""
    path = LOCALE / language / "LC_MESSAGES" / "pages.po"
    if not path.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def environment(folders: Sequence[Path], language: str) -> Environment:
    """Return the templates of some folders, which write in a language."""
    made = Environment(
        loader=FileSystemLoader(list(folders)), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    install: Callable[..., None] = made.install_gettext_translations  # type: ignore[attr-defined]
    install(translations(language), newstyle=True)
    made.globals["languages"] = LANGUAGES
    made.globals["unit_of"] = unit_of
    made.globals["unreviewed"] = language in UNREVIEWED
    return made
