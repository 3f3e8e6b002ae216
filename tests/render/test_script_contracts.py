# SPDX-License-Identifier: Apache-2.0
"""What each script says of itself: exit codes in its header and on its page, and EL7's bash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ngtpatch.render import render

DOCS = Path(__file__).resolve().parents[2] / "docs"
VM = "20edafba-0644-4e57-a3cf-4abef2f69a5f"
SCRIPTS = {
    "guest-install.sh": ("guest.md", "Installing"),
    "guest-generalize.sh": ("guest.md", "Before the guest becomes an image"),
    "cluster-runbook.sh": ("cluster.md", "New certificates"),
}


def text(name: str) -> str:
    return render(name, {"vms": [VM]} if name.startswith("cluster") else {})


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_exit_code_is_in_the_header_and_on_the_page(name: str) -> None:
    header, _, code = text(name).partition("\nset -euo pipefail\n")
    used = {"0"} | set(re.findall(r"\b(?:fail|problem|end|exit|code=)\s*(\d+)\b", code))
    if "WORST:-1" in code:
        used.add("1")
    # Only after the words, so that a number in a sentence is none.
    documented = set(re.findall(r"(?<![\w.])(\d+)(?=  ?[\w-])", header.partition("Exit codes")[2]))
    page, title = SCRIPTS[name]
    section = (DOCS / page).read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    assert used <= documented
    assert used == set(re.findall(r"^\| (\d+) \|", section, re.MULTILINE))


# Bash 4.3 and newer: namerefs, wait -n, ${x@Q}, mapfile -d, a test of an array's element, and
# negative subscripts in assignments. Bash 4.2, which EL7 has, takes an empty array for unset.
NEWER = [
    r"\b(?:local|declare|typeset) -\w*n", r"\bwait -n", r"\$\{\w+(?:\[[^]]*\])?@[A-Za-z]\}",
    r"\bmapfile -d", r"\breadarray -d", r"\[\[ -v \w+\[", r"\$EPOCH", r"\binherit_errexit",
]  # fmt: skip
# Never empty where they are used like this.
FILLED = {"VMS", "COMMAND", "problems", "candidates", "KEYS", "ROOTS", "FOUND", "lines", "again"}
FILLED |= {"DISCS", "SERVICES", "REPORT", "values"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_in_it_needs_a_newer_bash_than_4_2(name: str) -> None:
    script = text(name)
    for construct in NEWER:
        assert not re.search(construct, script, re.MULTILINE), construct
    for array in re.findall(r'(?<!\+)"\$\{(\w+)\[@\][^}]*\}"', script):
        assert array in FILLED, array
