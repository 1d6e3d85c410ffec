from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from contracts.naming.open_points import as_problems, open_points, without_confirmations

TEXT = """
name = "x"
clock = "?"
[[tables]]
file = "a.csv"
missing = ["?"]
confirm = true
separator = ";"
columns = [
    { column = "FM", code = "?", confirm = true },
    { column = "sex", code = "S", labels = { "1" = "?", "?" = "male" } },
    { column = "age", code = "A", confirm = false },
]
"""


def test_every_answer_and_every_confirmation_that_is_missing_is_named_with_its_place() -> None:
    problems = as_problems(open_points(tomllib.loads(TEXT), ("missing",)), "map.toml")
    said = [(problem.field, problem.found) for problem in problems]
    assert said == [
        ("the file as a whole", 'clock = "?" has no answer yet'),
        (
            "tables 1 ('a.csv')",
            'nobody has confirmed this guess yet, missing = ["?"], separator = ";"',
        ),
        ("tables 1, columns 1 ('a.csv', 'FM')", "nobody has confirmed this guess yet"),
        ("tables 1, columns 1 ('a.csv', 'FM')", 'code = "?" has no answer yet'),
        ("tables 1, columns 2, labels ('a.csv', 'sex')", '1 = "?" has no answer yet'),
    ]
    assert all(problem.advice for problem in problems)


def test_what_was_confirmed_leaves_no_trace() -> None:
    content = without_confirmations(tomllib.loads(TEXT))
    assert content["tables"][0]["columns"][2] == {"column": "age", "code": "A"}


KEYS = st.sampled_from(["name", "file", "column", "code", "weeks", "labels"])
VALUES = st.recursive(
    st.sampled_from(["a", "!", 1, 2.5, False]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(content=st.dictionaries(KEYS, VALUES, max_size=4), path=st.lists(st.booleans(), max_size=4))
def test_nothing_that_is_open_hides_however_deep_it_stands(
    content: dict[str, object], path: list[bool]
) -> None:
    assert open_points(content) == []
    planted: object = {"confirm": True, "code": "?"}
    for as_list in path:
        planted = {"part": [planted]} if as_list else {"part": planted}
    assert len(open_points({**content, "planted": planted})) == 2
