from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.naming.model_version import model_name, split_version, version_key
from contracts.naming.names import INVISIBLE, canonical, comparable, flaw, is_invisible, shown

UNSEEN = st.sampled_from([first for first, _ in INVISIBLE] + [0x200B, 0x2060, 0x00, 0x1B, 0x2028])
NAMES = st.sampled_from(["arm", "upper-limb", "Gehen 10 m", "h\u00f6he", "stroke_2", "\u624b"])
NUMBERS = st.integers(0, 999_999).map(str)


@pytest.mark.parametrize(
    "name",
    ["mia", "Mia Moor", "mia.moor@ward-3.example", "DOMAIN\\mia$", "make demo, as ml-owner",
     "D\u2019Arcy", "Jos\u00e9 M\u00fcller", "\u0418\u0432\u0430\u043d \u041f\u0435\u0442\u0440\u043e\u0432",
     "\u5c71\u7530 \u305f\u308d\u3046", "\uae40\ucca0\uc218", "\u0930\u093e\u092e \u0915\u0941\u092e\u093e\u0930",
     "\u0645\u062d\u0645\u062f \u0631\u0636\u0627", "\u03a3\u03c9\u03ba\u03c1\u03ac\u03c4\u03b7\u03c2"],
    ids=ascii,
)  # fmt: skip
def test_the_worlds_names_can_be_used(name: str) -> None:
    assert flaw(name) is None
    assert canonical(name) == name


@given(name=NAMES, unseen=UNSEEN, data=st.data())
def test_what_nobody_can_see_is_found_wherever_it_stands_and_changes_no_comparison(
    name: str, unseen: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(name)))
    changed = name[:place] + chr(unseen) + name[place:]
    assert f"character {place + 1} is" in (flaw(changed) or "")
    assert comparable(changed) == comparable(name)
    assert f"<U+{unseen:04X}>" in shown(changed)


@given(st.text(max_size=20))
def test_comparing_is_of_what_is_seen(text: str) -> None:
    key = comparable(text)
    assert comparable(key) == key
    assert not any(is_invisible(character) for character in key)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert comparable(unicodedata.normalize(form, text)) == key
    assert comparable(text.swapcase().swapcase().upper()) == comparable(text.upper())


def widened(text: str) -> str:
    """The same text in full width."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _inserted(text: str, data: st.DataObject) -> str:
    place = data.draw(st.integers(0, len(text)))
    return text[:place] + chr(data.draw(UNSEEN)) + text[place:]


CHANGES = {
    "leading zeros": lambda name, number, data: f"{name}/{'0' * data.draw(st.integers(0, 3))}{number}",
    "a sign": lambda name, number, data: f"{name}/{data.draw(st.sampled_from(['+', '']))}{number}",
    "blanks": lambda name, number, data: data.draw(
        st.sampled_from([" {}/{}", "{}/{} ", "{} /{}", "{}/ {}", "{}/{}\n", "{}\t/{}", "{}/{}\u00a0"])
    ).format(name, number),
    "width of the number": lambda name, number, data: f"{name}/{widened(number)}",
    "width of the name": lambda name, number, data: f"{widened(name)}/{number}",
    "decomposed": lambda name, number, data: f"{unicodedata.normalize('NFD', name)}/{number}",
    "unseen in the name": lambda name, number, data: f"{_inserted(name, data)}/{number}",
    "unseen in the number": lambda name, number, data: f"{name}/{_inserted(number, data)}",
    "other digits": lambda name, number, data: f"{name}/"
    + "".join(chr(data.draw(st.sampled_from([0x660, 0x966, 0x1D7CE])) + int(d)) for d in number),
    "another alphabet": lambda name, number, data: f"{name.replace('a', chr(0x430))}/{number}",
    "as it is": lambda name, number, data: f"{name}/{number}",
}  # fmt: skip
"""Ways to write a version, some of which change nothing."""


@given(name=NAMES, number=NUMBERS, change=st.sampled_from(sorted(CHANGES)), data=st.data())
def test_a_spelling_is_refused_or_the_very_version_and_always_compared_as_it(
    name: str, number: str, change: str, data: st.DataObject
) -> None:
    written = CHANGES[change](name, number, data)
    assert version_key(written) == version_key(f"{name}/{number}")
    if written == f"{name}/{number}":
        assert split_version(written) == (name, number)
    else:
        with pytest.raises(ContractError, match="write it"):
            split_version(written)


@given(st.text(max_size=12), st.text(max_size=6))
def test_whatever_is_let_in_is_its_own_one_spelling(name: str, number: str) -> None:
    try:
        parts = split_version(f"{name}/{number}")
    except ContractError:
        return
    assert "/".join(parts) == f"{name}/{number}"
    assert unicodedata.normalize("NFKC", f"{name}/{number}") == f"{name}/{number}"
    assert str(int(parts[1])) == parts[1]


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("arm/01", "write it as arm/1"),
        ("ARM/+2", "write it as ARM/2"),
        ("arm/\uff11\uff10", "write it as arm/10"),
        ("arm", "write it as NAME/N"),
        ("/3", "write it as NAME/N"),
        ("arm/", "write it as NAME/N"),
        ("arm/latest", "write it as NAME/N"),
        ("arm/-1", "write it as NAME/N"),
        ("arm /1", "write it as 'arm'"),
        ("ar\u200bm/1", "write it as 'arm'"),
        ("models:/arm/1", "write it in letters of one alphabet and digits, without any of /:@%"),
    ],
)
def test_a_refusal_gives_the_one_spelling(written: str, advice: str) -> None:
    with pytest.raises(ContractError) as refused:
        split_version(written)
    assert refused.value.what_to_do.startswith(advice)


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "a@b", "a%20b", "a" * 201, "\ud800"])
def test_what_is_no_name_of_a_model_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="is not the name of a model"):
        model_name(name)
