"""Outcomes that were due and did not come, in the judgement."""
