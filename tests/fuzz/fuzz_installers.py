# SPDX-License-Identifier: Apache-2.0
"""Installers in every dress: patched rightly, or refused with a code and untouched.

In ``make test`` some hundreds; for more, and for the shares by kind::

    python -m tests.fuzz.fuzz_installers --count 10000

The property: either the patched file runs, differs in the chain's lines only,
decides otherwise for the wanted names and for no other name of the corpus, and
a second application changes nothing; or the refusal has a code. What it decides
is found by running it, not by the model that patched it.
"""

from __future__ import annotations

import argparse
import difflib
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, seed, settings

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import parse
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.known_names import known_distributions
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import Profile, load_profiles
from ngtpatch.patching.recognise import recognise
from tests.fuzz.variants import Variant, outcome, variants

__all__ = ["check"]

CODES = {"anchor-missing", "anchor-ambiguous", "shape", "conflict"}
PATCH = replace(
    next(patch for patch in load_patches() if patch.id == "factory"), source="fuzz", examples=()
)
PROFILES = [load_profiles()[name] for name in ("rocky", "almalinux")]
WANTED = [(name, profile.ids[0]) for profile in PROFILES for name in profile.names]
OTHERS = sorted(
    {
        (row.name.title() if row.stock == "unsupported" else row.name, row.id or "none")
        for row in known_distributions()
        if row.name not in {name.lower() for name, _ in WANTED}
    }
)
# Names in the case of their distributions, for the chains that do not fold it.
PROPER = [("CentOS Linux", "centos"), ("Red Hat Enterprise Linux", "rhel"), ("Ubuntu", "ubuntu")]


def patched(data: bytes, profiles: list[Profile]) -> bytes:
    source = parse("fuzz.py", data)
    return insert(source, recognise(source, PATCH, profiles).insertions)


def check(variant: Variant) -> str:
    """Assert the property for one variant; return what became of it: patched, or the code."""
    try:
        after = patched(variant.data, PROFILES)
    except Refusal as error:
        refusal = error
    else:
        assert_right(variant, after)
        return "patched"
    assert refusal.code in CODES, refusal.code
    assert refusal.hint
    assert not variant.must_patch, f"{variant.label}: {refusal.code}: {refusal.message}"
    return refusal.code


def assert_right(variant: Variant, after: bytes) -> None:
    old, new = compile(variant.data, "before", "exec"), compile(after, "after", "exec")
    assert_only_the_chain_differs(variant, after)
    for name, identifier in WANTED:
        was, is_now = outcome(old, name, identifier), outcome(new, name, identifier)
        assert was != "redhat", f"{variant.label}: {name} was accepted already"
        assert is_now == "redhat", f"{variant.label}: {name} is {is_now}"
    for name, identifier in OTHERS + PROPER:
        was, is_now = outcome(old, name, identifier), outcome(new, name, identifier)
        assert was == is_now, f"{variant.label}: {name} was {was} and is {is_now}"
    assert patched(after, PROFILES) == after, f"{variant.label}: a second application changes"


def assert_only_the_chain_differs(variant: Variant, after: bytes) -> None:
    before, now = variant.data.splitlines(keepends=True), after.splitlines(keepends=True)
    first, last = variant.chain
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
    for tag, start, end, _, _ in matcher.get_opcodes():
        if tag != "equal":
            assert first - 1 <= start <= end <= last, f"{variant.label}: {start}-{end}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Try many installers; print what became of them.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    became: dict[str, Counter[str]] = {}

    @seed(arguments.seed)
    @settings(
        max_examples=arguments.count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(variants())
    def every(variant: Variant) -> None:
        became.setdefault(variant.kind, Counter())[check(variant)] += 1

    every()
    total: Counter[str] = Counter()
    for kind in sorted(became):
        total += became[kind]
        print(f"{kind:25}", _shares(became[kind]))
    print(f"{'all':25}", _shares(total))


def _shares(counts: Counter[str]) -> str:
    everything = sum(counts.values())
    shares = [f"{what} {count / everything:.0%}" for what, count in counts.most_common()]
    return f"{everything:6}  " + ", ".join(shares)


if __name__ == "__main__":
    main()
