# SPDX-License-Identifier: Apache-2.0
"""What a proof allows is patched: factories of every shape that can be given one more element.

In ``make test`` some hundreds; for more, with the shares by shape and by subject::

    python -m tests.fuzz.fuzz_shapes --count 50000

Judged by running each before and after, for the new name and for every known one.
"""

from __future__ import annotations

import argparse
import random
import warnings
from collections import Counter

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_unseen import CODES, KNOWN, NEW, PATCHES, ROCKY, shares
from tests.fuzz.shape_variants import Shaped, shape
from tests.fuzz.unseen_variants import UTILS, decided

__all__ = ["check_shaped", "count_shapes", "tree_of"]


def tree_of(factory: str) -> dict[str, bytes]:
    """Return an installer with this factory."""
    return {
        ROOT + "install_ngt.py": b"from installer_factory import get_linux_installer\n"
        b"get_linux_installer()().install()\n",
        FACTORY: factory.encode(),
        ROOT + "src/installer_utils.py": UTILS.encode(),
        ROOT
        + "src/redhat_installer.py": b"class RedhatInstaller(object):\n  def install(self): pass\n",
        ROOT
        + "src/ubuntu_installer.py": b"class UbuntuInstaller(object):\n  def install(self): pass\n",
    }


def check_shaped(shaped: Shaped) -> str:
    """Assert that it is patched rightly or not at all; return what became of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = compile(shaped.text, "before", "exec")
        before = [decided(old, guest) for guest in KNOWN]
        if "RedhatInstaller" not in before:
            return "accepts nobody"
        if decided(old, NEW[0]) == "RedhatInstaller":
            return "accepted as it is"
        try:
            patched = apply(tree_of(shaped.text), [ROCKY], PATCHES)
        except Refusal as refusal:
            patched, code = None, refusal.code
        if patched is None:
            assert code in CODES, f"{code}: {shaped.label}"
            return code
        if patched.doubts:
            return "uncertain"
        (changed,) = [file for file in patched.changed if file.path == FACTORY]
        _assert_inserted(shaped, changed.after.decode())
        new = compile(changed.after, "after", "exec")
        for guest in NEW:
            is_now = decided(new, guest)
            assert is_now == "RedhatInstaller", f"{guest.version} is {is_now}: {shaped.label}"
        for guest, was in zip(KNOWN, before, strict=True):
            assert decided(new, guest) == was, f"{guest.name} was {was}: {shaped.label}"
    return "patched"


def _assert_inserted(shaped: Shaped, after: str) -> None:
    """Assert that every character of the shipped file is there, in its order, around one place."""
    before = shaped.text
    start = 0
    while start < len(before) and before[start] == after[start]:
        start += 1
    end = 0
    while end < len(before) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    # "(" before a test and the rest behind it are the only two that can be apart.
    apart = before[start : len(before) - end]
    assert not apart or apart in after, shaped.label


def count_shapes(chance: random.Random, count: int) -> dict[str, Counter[str]]:
    """Try *count* factories; return what became of them by shape and by subject."""
    became: dict[str, Counter[str]] = {}
    for _ in range(count):
        shaped = shape(chance)
        what = check_shaped(shaped)
        for kind in (f"shape {shaped.shape}", f"subject {shaped.subject}", "all"):
            became.setdefault(kind, Counter())[what] += 1
    return became


def main() -> None:
    parser = argparse.ArgumentParser(description="Shape factories; print what became of them.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(shares(count_shapes(random.Random(arguments.seed), arguments.count)))


if __name__ == "__main__":
    main()
