"""Which recorded diagnoses are the condition that a person recovers from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FALLBACKS = Literal["onsetPeriod", "recordedDate"]


class OnsetCodes(BaseModel):
    """The diagnoses whose onset counts, as a task, a map or a site declares them.

    Parameters
    ----------
    condition
        In words, for messages.
    icd10
        Prefixes of ICD-10 codes (any national modification): `I63` is also `I63.9`.
    snomed
        SNOMED CT concept ids, each meant itself: there is no terminology server to ask for more.
    fallbacks
        What may stand for an onset that has no date of its own, in this order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    condition: Annotated[str, Field(min_length=1)]
    icd10: tuple[Annotated[str, Field(pattern=r"^[A-Z]\d")], ...] = ()
    snomed: tuple[Annotated[str, Field(pattern=r"^\d{6,18}$")], ...] = ()
    fallbacks: tuple[FALLBACKS, ...] = ("onsetPeriod",)


STROKE = OnsetCodes(
    condition="stroke",
    icd10=("I60", "I61", "I63", "I64"),
    snomed=(
        "230690007", "422504002", "432504007", "274100004", "21454007", "1386000", "230706003",
        "116288000", "111297002", "373606000", "413758000", "230698000", "307766002", "307767006",
        "413102000", "276219001", "230693009", "230694003", "230695002", "230696001", "230707007",
        "230708002",
    ),
)  # fmt: skip
"""Stroke as WHO counts it: infarction, haemorrhage, not specified (ICD-10 I60, I61, I63, I64).

SNOMED CT: cerebrovascular accident, ischaemic stroke, cerebral infarction, cerebral, subarachnoid
and intracranial haemorrhage, haemorrhagic infarction; paralytic, nonparalytic, occlusive and
cardioembolic stroke; lacunar, left- and right-sided infarction, of basal ganglia, occipital, of the
anterior (total, partial) and posterior circulation, and these two haemorrhagic."""
