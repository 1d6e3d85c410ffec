"""An address never shows more than its scheme, whichever way it is shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from stores.secret_url import SecretUrl, revealed

ADDRESS = "postgresql://CANARYUSER:CANARY%40PASS@CANARYHOST:5432/CANARYDB?password=CANARYQUERY"


class Holder(BaseModel):
    address: SecretUrl
    number: int = 0


def test_no_way_of_showing_it_shows_more_than_the_scheme(caplog: pytest.LogCaptureFixture) -> None:
    url = SecretUrl(ADDRESS)
    holder = Holder(address=url)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").warning("opening %s or %r", url, url)
    shown = [
        str(url), repr(url), f"{url}", f"{url!r}", format(url),
        repr([url]), repr({"a": url}), repr(holder), str(holder),
        holder.model_dump_json(), repr(holder.model_dump()), json.dumps([url], default=str),
        caplog.text, repr(copy.deepcopy(url)), repr(copy.copy(holder)),
    ]  # fmt: skip
    assert [text for text in shown if "CANARY" in text] == []
    assert "postgresql" in str(url)
    with pytest.raises(TypeError) as refusal:
        pickle.dumps(url)
    assert "CANARY" not in str(refusal.value)
    with pytest.raises(ValidationError) as invalid:
        Holder.model_validate({"address": url, "number": "x"})
    assert "CANARY" not in str(invalid.value)


def test_it_is_revealed_only_on_request() -> None:
    url = SecretUrl(ADDRESS)
    assert revealed(url) == url.get_secret_value() == ADDRESS
    assert revealed("sqlite:///x") == "sqlite:///x"
    assert TypeAdapter(SecretUrl).validate_python(ADDRESS) == url
    assert url != ADDRESS
    assert hash(url) == hash(SecretUrl(ADDRESS))


def test_an_operator_sees_the_place_without_credentials_or_query() -> None:
    assert SecretUrl(ADDRESS).without_credentials() == "postgresql://CANARYHOST:5432/CANARYDB"
    assert SecretUrl("sqlite:///a/b.db").without_credentials() == "sqlite:///a/b.db"
    assert SecretUrl("http://u:p@h/x?token=t#f").without_credentials() == "http://h/x"


@given(st.text(min_size=1), st.text(alphabet="abcdefgh%40@:/?#", min_size=8, max_size=12))
def test_any_text_is_hidden(text: str, secret: str) -> None:
    assert secret not in str(SecretUrl(f"postgresql://u:{secret}@h/d"))
    url = SecretUrl(f"postgresql://u:{secret}@h/d")
    assert url.without_credentials() == "postgresql://h/d"
    assert url.get_secret_value() in url.secrets()
    assert ":***" in str(SecretUrl(text))
