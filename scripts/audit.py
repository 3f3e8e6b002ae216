# SPDX-License-Identifier: Apache-2.0
"""``make audit``: whether an advisory speaks of a release in locks/.

pip-audit asks the package index; it calls a release that the index tells nothing of "skipped", and
says that no vulnerability was found. Here that is not said: what was not looked up is named, and is
no success.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.locks import LOCKS

__all__ = ["EXCEPTIONS", "judged"]

# Advisories that do not concern us: their id, and why.
EXCEPTIONS: Mapping[str, str] = {}
_NONE, _SOME, _NOT_LOOKED = 0, 1, 3


def main() -> None:
    """Ask about each lock; exit 1 where an advisory stands, 3 where not all was looked up."""
    words = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    words += [word for lock in LOCKS for word in ("-r", str(lock))]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        print(f"NOT LOOKED UP: pip-audit gave no answer, and nothing is known ({reason})")
        sys.exit(_NOT_LOOKED)
    code, told = judged(found, EXCEPTIONS)
    print(*told, sep="\n")
    sys.exit(code)


def judged(
    found: Sequence[Mapping[str, Any]], exceptions: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Return exit code and sentences for what pip-audit says of each release.

    Args:
        found: its ``dependencies``.
        exceptions: why an advisory, by its id, does not count.
    """
    looked = [one for one in found if "skip_reason" not in one]
    skipped = sorted({str(one["name"]) for one in found if "skip_reason" in one})
    standing, excepted = 0, set[str]()
    told = []
    for name, version, advisory in _advisories(looked):
        ids = [advisory["id"], *advisory.get("aliases", ())]
        excepted |= {one for one in ids if one in exceptions}
        why = next((exceptions[one] for one in ids if one in exceptions), None)
        standing += why is None
        fixed = ", ".join(advisory.get("fix_versions", ())) or "no release"
        end = f"excepted: {why}" if why else f"mended in {fixed}"
        told.append(f"{name} {version}: {ids[0]}; {end}")
    told += [f"{one}: no advisory by this id was found; take its exception away"
             for one in exceptions if not skipped and one not in excepted]  # fmt: skip
    if skipped:
        told.append(f"NOT LOOKED UP, nothing is known of them: {', '.join(skipped)}")
    told.append(
        f"{len(looked)} releases of locks/ were looked up, {len(skipped)} names were not;"
        f" {standing} advisories stand"
    )
    return _SOME if standing else _NOT_LOOKED if skipped or not looked else _NONE, told


def _advisories(
    looked: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for one in looked:
        for advisory in one.get("vulns", ()):
            yield str(one["name"]), str(one["version"]), advisory


if __name__ == "__main__":
    main()
