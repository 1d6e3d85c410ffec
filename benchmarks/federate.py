"""One audit over many sites beside the same audit of all people in one place (SIMULATED).

Run with `python benchmarks/federate.py`, or `make bench NAME=federate`. Prints the time of offers,
sums and judgement over all sites, the largest file, and the time and findings of all in one place.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from audits.federated.agreement import agree, said_by
from audits.federated.files import in_base64
from audits.federated.joint import Joint, judge_sums
from audits.federated.masks import masked, new_key, public_of, unmasked
from audits.federated.people import SitePeople
from audits.federated.sums import sums_of
from audits.judging.policy import load_policy
from audits.judging.rules import apply_rules
from contracts.predictions import SUBJECT
from tests.audits.conftest import make_table

GROUPS = {
    "sex": ("female", "male"),
    "age band": ("under 50", "50 to 64", "65 to 74", "75 and above"),
    "ethnicity": ("a", "b", "c", "d"),
    "aphasia": ("yes", "no"),
    "wear band": ("low", "middle", "high"),
    "walking aid": ("none", "cane", "rollator"),
}
REPLICATES = 200
"""Of the ordinary audit: what is compared does not rest on them; 2,000 take ten times as long."""


def main() -> None:
    """Run it and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=30)
    parser.add_argument("--people", type=int, default=2000, help="of each site")
    arguments = parser.parse_args()
    policy = load_policy().model_copy(
        update={"required": (), "lost": None, "replicates": REPLICATES}
    )
    table = make_table(arguments.sites * arguments.people, groups=GROUPS)
    site_N = table[SUBJECT].to_numpy() % arguments.sites
    parts = [table[site_N == n] for n in range(arguments.sites)]

    begin = time.perf_counter()
    sites = [SitePeople.of(part, None, policy) for part in parts]
    said = tuple(said_by(site) for site in sites)
    layout = agree(said)
    offered = time.perf_counter()
    private = {f"site {n}": new_key() for n in range(len(sites))}
    public = {name: public_of(key) for name, key in private.items()}
    files = {
        name: masked(sums_of(site, layout), name, private[name], public, "0f" * 32)
        for name, site in zip(private, sites, strict=True)
    }
    exported = time.perf_counter()
    joint = Joint(layout=layout, said=said, has_champion=False)
    found = judge_sums(unmasked(files), joint, policy)
    judged = time.perf_counter()
    whole_K = sums_of(SitePeople.of(table, None, policy), layout)
    same = bool((unmasked(files) == whole_K).all() and judge_sums(whole_K, joint, policy) == found)
    codes = max(len(str(each.codes)) for each in said)
    print(f"SIMULATED: {arguments.sites} sites of {arguments.people} people, {len(whole_K)} sums")
    print(f"offers of all sites      {offered - begin:8.1f} s, largest about {codes / 1e6:.2f} MB")
    largest = max(len(in_base64(each)) for each in files.values())
    print(f"sums of all sites        {exported - offered:8.1f} s, largest {largest / 1e6:.2f} MB")
    print(f"joint judgement          {judged - exported:8.1f} s")
    print(f"the three together       {judged - begin:8.1f} s", flush=True)
    print(f"sums and findings as of all people in one place, bit for bit: {same}", flush=True)
    one = time.perf_counter()
    # The baseline: the audit that a site makes of its own table, here of all rows in one place.
    own = apply_rules(table, policy, champion=None).findings
    end = time.perf_counter()

    of_own = {(f.rule, f.metric, f.axis, f.group, f.horizon_day): f for f in own}
    pairs = [
        (f, of_own[key])
        for f in found
        if (key := (f.rule, f.metric, f.axis, f.group, f.horizon_day)) in of_own
        and f.value is not None
    ]
    apart = max(abs(f.value - g.value) for f, g in pairs if f.value and g.value)
    print(f"all rows in one place    {end - one:8.1f} s, own audit with {REPLICATES} replicates")
    outcomes = np.mean([f.outcome is g.outcome for f, g in pairs])
    print(f"{len(pairs)} findings beside the own audit: {100 * outcomes:.0f} % with the same"
          f" outcome, values at most {apart:.1e} apart")  # fmt: skip


if __name__ == "__main__":
    main()
