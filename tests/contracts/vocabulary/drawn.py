"""Sound entries of a vocabulary, drawn at random."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.vocabulary import Code, Domain, Kind
from contracts.vocabulary.checks import MEASURED, is_plain, modalities_of

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20
).filter(is_plain)
UNITS = ("kg", "m/s", "{score}", "min/d", "%", "deg", "[lb_av]")


@st.composite
def codes(draw: st.DrawFn) -> Code:
    """Draw an entry; its name and FHIR code follow its code, so that two codes share none."""
    space = draw(st.sampled_from(["OURS", "OTHER_9"]))
    code = f"{space}//{draw(st.sampled_from(['A', 'B', 'C', 'D_1', 'e-2']))}"
    kind = draw(st.sampled_from(list(Kind)))
    numeric = kind in MEASURED or (kind is Kind.PERSON and draw(st.booleans()))
    low = float(draw(st.integers(-50, 50)))
    steps, step = draw(st.integers(1, 60)), draw(st.sampled_from([0.0, 0.5, 1.0, 5.0]))
    labels = draw(st.lists(WORDS, unique_by=str.casefold, max_size=4))
    return Code(
        code=code,
        name=f"{draw(WORDS)} of {code}",
        kind=kind,
        modality=draw(st.sampled_from(modalities_of(kind))),
        domain=draw(st.sampled_from(list(Domain))) if kind in MEASURED else Domain.NONE,
        unit=draw(st.sampled_from(UNITS)) if numeric else "",
        low=low if numeric else None,
        high=low + steps * (step or 1.0) if numeric else None,
        labels=tuple(labels) if kind is Kind.PERSON and not numeric else (),
        better=draw(st.sampled_from(["higher", "lower"])) if kind is Kind.ASSESSMENT else "higher",
        step=step if kind is Kind.ASSESSMENT else 0.0,
        source=draw(WORDS),
        fhir=(f"https://h.example/{space}|{code[-1]}",) if draw(st.booleans()) else (),
    )


def sets(most: int = 5) -> st.SearchStrategy[list[Code]]:
    return st.lists(codes(), unique_by=lambda entry: entry.code, min_size=1, max_size=most)
