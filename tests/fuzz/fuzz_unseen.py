# SPDX-License-Identifier: Apache-2.0
"""Nothing decides unseen: what is patched gets the new names through, and changes nobody else.

In ``make test`` four hundred; for more, with the shares by kind::

    python -m tests.fuzz.fuzz_unseen --count 50000

Judged by running every factory before and after, for the new names and all known ones.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import Patched, apply
from ngtpatch.patching.guests import known_worlds
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from tests.fuzz.unseen_variants import UTILS, Grown, Guest, decided, grow

__all__ = ["check_grown", "shares"]

ROCKY = load_profiles()["rocky"]
PATCHES = [patch for patch in load_patches() if patch.id == "factory"]
NEW = [
    Guest("Rocky Linux", "rocky", "rhel centos fedora", version, f"platform:el{major}")
    for version, major in (("8.10", "8"), ("9.4", "9"), ("10.0", "10"))
]
KNOWN = [
    Guest(one.name, one.id, one.like, one.version, one.platform)
    for one in known_worlds()
    if one.id and not one.name.lower().startswith("rocky linux")
]
CODES = {"anchor-missing", "anchor-ambiguous", "shape", "conflict", "lossy"}


def check_grown(grown: Grown) -> str:
    """Assert the property; return ``patched``, ``uncertain`` or the code of the refusal."""
    tree = {
        ROOT + "install_ngt.py": b"from installer_factory import get_linux_installer\n"
        b"get_linux_installer()().install()\n",
        FACTORY: grown.text.encode(),
        ROOT + "src/installer_utils.py": UTILS.encode(),
        ROOT
        + "src/redhat_installer.py": b"class RedhatInstaller(object):\n  def install(self): pass\n",
        ROOT
        + "src/ubuntu_installer.py": b"class UbuntuInstaller(object):\n  def install(self): pass\n",
    }
    try:
        patched = apply(tree, [ROCKY], PATCHES)
    except Refusal as refusal:
        code = refusal.code
    else:
        return _judged(grown, tree, patched)
    assert code in CODES, f"{grown.label}: {code}"
    return code


def _judged(grown: Grown, tree: dict[str, bytes], patched: Patched) -> str:
    assert not [one for one in patched.doubts if one.kind == "unforeseen"], grown.label
    if patched.doubts:
        return "uncertain"
    after = {**tree, **{file.path: file.after for file in patched.changed}}
    old, new = compile(grown.text, "before", "exec"), compile(after[FACTORY], "after", "exec")
    # A gate that stands among the helpers is extended there.
    utils = compile(after[ROOT + "src/installer_utils.py"], "utils", "exec")
    for guest in NEW:
        is_now = decided(new, guest, utils)
        assert is_now == "RedhatInstaller", f"{grown.label}: {guest.version} is {is_now}"
    for guest in KNOWN:
        was, is_now = decided(old, guest), decided(new, guest, utils)
        assert was == is_now, f"{grown.label}: {guest.name} was {was} and is {is_now}"
    return "patched"


def shares(became: dict[str, Counter[str]]) -> str:
    """Return a table of what became of each kind."""
    rows = []
    for kind in sorted(became):
        count = sum(became[kind].values())
        parts = ", ".join(f"{what} {n / count:.0%}" for what, n in became[kind].most_common())
        rows.append(f"{kind:30} {count:6}  {parts}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Grow factories; print what became of them.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    became: dict[str, Counter[str]] = {}
    for _ in range(arguments.count):
        grown = grow(chance)
        what = check_grown(grown)
        for kind in (f"cut {grown.cut}", f"alias {grown.alias}", f"gate {grown.gate}", "all"):
            became.setdefault(kind, Counter())[what] += 1
    print(shares(became))


if __name__ == "__main__":
    main()
