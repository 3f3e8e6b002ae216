# SPDX-License-Identifier: Apache-2.0
"""A distribution's profile, fixture, known name and row of the page, from its os-release.

make profile OS_RELEASE=FILE

A new distribution gets a profile; one that has a profile gets its new release into it.
"""

import csv
import io
import json
import re
import sys
from pathlib import Path

from ngtpatch.errors import NgtpatchError
from ngtpatch.patching.kinship import EL_PYTHON, Kinship, kinship
from ngtpatch.patching.new_profile import covered, draft_profile
from ngtpatch.patching.osrelease import OsRelease, read_os_release
from ngtpatch.patching.profile import Profile, load_profiles
from scripts.document_profiles import PAGE, listing, page

ROOT = Path(__file__).resolve().parent.parent
KNOWN = ROOT / "ngtpatch" / "patching" / "known_names.csv"
# What tests/patching/test_known_names.py calls one row; versions are what it holds.
KEY = ("name", "family", "stock", "id", "id_like", "platform_id")


def main() -> int:
    """Write all four places, or say why none was written."""
    if len(sys.argv) != 2 or not sys.argv[1]:
        print("usage: make profile OS_RELEASE=FILE", file=sys.stderr)
        return 2
    try:
        release = read_os_release(sys.argv[1])
        written = [*add(release), *regenerate()]
    except NgtpatchError as error:
        print(error, error.hint or "", sep="\n  ", file=sys.stderr)
        return error.exit_code
    for path in written:
        print(f"wrote  {path.relative_to(ROOT)}")
    if written:
        print(
            "next   make test; and read the profile: is its needle the distribution's whole NAME?"
        )
    return 0


def add(release: OsRelease) -> list[Path]:
    """Write profile, fixture and known name; return the files."""
    kin = kinship(release)
    profiles = load_profiles()
    known = covered(release, profiles)
    if known is not None and known.profile is None:
        print(f"nothing to do: {known.because}")
        return []
    if known is None:
        new = draft_profile(release, profiles)
        profile, text = new.profile, f"# SPDX-License-Identifier: Apache-2.0\n{new.text}"
        path = ROOT / "distro_profiles" / f"{profile.id}.toml"
    else:
        profile = profiles[known.profile or ""]
        path = ROOT / "distro_profiles" / f"{profile.id}.toml"
        text = with_release(path.read_text(), profile, release, kin)
    path.write_text(text)
    profile = load_profiles()[profile.id]
    return [path, fixture(profile, release), known_name(profile, release)]


def with_release(text: str, profile: Profile, release: OsRelease, kin: Kinship) -> str:
    """Return the profile's *text* with the release in it, below its version."""
    version = kin.major or release.version_id
    listed = profile.version(release.version_id)
    if listed is not None and release.version_id in listed.releases:
        return text
    table = re.compile(
        rf'(^\[versions\."?{re.escape(version)}"?\]\n(?:(?!\[).*\n)*?releases = \[[^]]*)\]', re.M
    )
    if table.search(text):
        return table.sub(lambda match: f"{match[1]}, {json.dumps(release.version_id)}]", text)
    python = EL_PYTHON.get(version)
    if python is None:
        raise NgtpatchError(
            "python-needed",
            f"which Python {release.name} {version} brings is not known",
            path=f"distro_profiles/{profile.id}.toml",
            hint=f"add its table [versions.{json.dumps(version)}] by hand, and run this again",
        )
    return (
        f"{text.rstrip()}\n\n[versions.{json.dumps(version)}]\npython = {json.dumps(python)}\n"
        f"releases = [{json.dumps(release.version_id)}]\n"
    )


def fixture(profile: Profile, release: OsRelease) -> Path:
    """Write what the distribution reports, in the minimal form of tests/distros/INDEX.md."""
    version = profile.version(release.version_id)
    assert version is not None  # noqa: S101 - with_release() put it there
    path = ROOT / "tests" / "distros" / f"{profile.id}-{version.version}" / "etc" / "os-release"
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
        "NAME": release.name,
        "ID": release.id,
        "ID_LIKE": " ".join(release.id_like),
        "VERSION_ID": release.version_id,
        "PLATFORM_ID": release.platform_id,
    }
    path.write_text("".join(f'{key}="{value}"\n' for key, value in values.items() if value))
    return path


def known_name(profile: Profile, release: OsRelease) -> Path:
    """Put the name into the table, at its place in the order."""
    rows = list(csv.DictReader(io.StringIO(KNOWN.read_text(encoding="utf-8"))))
    # A profile is made of what an unpatched installer refuses.
    values = (release.name.lower(), profile.family, "unsupported", release.id)
    row = dict(zip(KEY, (*values, " ".join(release.id_like), release.platform_id), strict=True))
    same = next((one for one in rows if all(one[key] == row[key] for key in KEY)), None)
    if same is None:
        rows.append(same := {**row, "versions": ""})
    same["versions"] = " ".join(dict.fromkeys((*same["versions"].split(), release.version_id)))
    rows.sort(key=lambda one: [one[key] for key in KEY])
    text = io.StringIO()
    table = csv.DictWriter(text, [*KEY, "versions"], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    KNOWN.write_text(text.getvalue(), encoding="utf-8")
    return KNOWN


def regenerate() -> list[Path]:
    """Write the page's list anew, where it changed."""
    before = PAGE.read_text()
    after = page(before, listing(load_profiles().values()))
    PAGE.write_text(after)
    return [PAGE] if after != before else []


if __name__ == "__main__":
    sys.exit(main())
