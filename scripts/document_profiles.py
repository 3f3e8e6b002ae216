# SPDX-License-Identifier: Apache-2.0
"""Writes the list of shipped profiles into docs/distributions.md.

python scripts/document_profiles.py
"""

from collections.abc import Iterable
from pathlib import Path

from ngtpatch.patching.profile import Profile, load_profiles

PAGE = Path(__file__).resolve().parent.parent / "docs" / "distributions.md"
BEGIN = "<!-- written by scripts/document_profiles.py -->\n"
END = "<!-- end of what it writes -->\n"

_EVIDENCE = {
    "os-release": "its os-release",
    "release-file": "its release file",
    "name": "its name only",
}


def listing(profiles: Iterable[Profile]) -> str:
    """Return the tables, as Markdown."""
    profiles = sorted(profiles, key=lambda profile: profile.id)
    lines = [
        "| profile | NAME | versions, with their Python | known by |",
        "|---|---|---|---|",
    ]
    lines += [_row(profile) for profile in profiles if profile.opt_in is None]
    lines += [
        "",
        "Opt-in: named by their id, never picked by `auto` or `all`.",
        "",
        "| profile | NAME | versions, with their Python | what is not proven |",
        "|---|---|---|---|",
    ]
    lines += [_row(profile) for profile in profiles if profile.opt_in is not None]
    return "\n".join(lines) + "\n"


def page(text: str, written: str) -> str:
    """Return the page *text* with *written* between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{written}\n{END}{after}"


def _row(profile: Profile) -> str:
    versions = ", ".join(
        f"{version.version} ({version.python})" for version in profile.versions.values()
    )
    evidence = dict.fromkeys(_EVIDENCE[one.evidence] for one in profile.versions.values())
    last = profile.opt_in or ", ".join(evidence)
    return f"| `{profile.id}` | {', '.join(profile.names)} | {versions} | {last} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), listing(load_profiles().values())))
