from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.declarations import read_declaration
from contracts.errors import ContractError


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: Annotated[float, Field(gt=0)]
    kind: Literal["a", "b"] = "a"


class Plan(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1)]
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]
    zone: str = ""

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone == "nowhere":
            raise ValueError(f"{zone!r} is no zone")
        return zone


SOUND = 'name = "x"\n[[entries]]\nsize = 1\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SOUND.replace('"x"', '""'), "name is empty: fill it in"),
        (SOUND.replace('name = "x"', ""), "name is missing"),
        (SOUND.replace("1", "0"), "entries 1, size is 0, but it should be greater than 0"),
        (SOUND.replace("1", '"big"'), "entries 1, size is 'big', but it should be a valid number"),
        (SOUND + "colour = 1", "entries 1, colour is not a key here: use one of kind, size"),
        (SOUND + 'kind = "c"', "entries 1, kind is 'c', but it should be 'a' or 'b'"),
        ('zone = "nowhere"\n' + SOUND, "zone: 'nowhere' is no zone"),
        ('name = "x"\nentries = []', "entries is empty"),
        ('name = "x', "not a plan: "),
    ],
)
def test_a_mistake_is_put_into_plain_words_with_its_key(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ContractError) as caught:
        read_declaration(file, Plan, "a plan", "see the docs")
    assert words in caught.value.reason
    assert "\n" not in caught.value.reason
    assert "pydantic" not in str(caught.value)
    assert caught.value.what_to_do == "see the docs"


def test_a_sound_file_is_read_with_a_byte_order_mark_too(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(SOUND, "utf-8-sig")
    assert read_declaration(file, Plan, "a plan", "").entries[0].size == 1
    with pytest.raises(ContractError, match="cannot be read"):
        read_declaration(tmp_path, Plan, "a plan", "")
