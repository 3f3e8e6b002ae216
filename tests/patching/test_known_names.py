# SPDX-License-Identifier: Apache-2.0
"""The table of known names: its own form, and the branches that it gives."""

from ngtpatch.installer.recognition import find_sites
from ngtpatch.patching.known_names import known_distributions, known_names

# The chain as it is quoted from NGT 1.x.
FACTORY = b"""\
import platform
distribution = platform.linux_distribution()[0].lower()
if ("centos" in distribution or
    "oracle linux server" in distribution or
    "red hat" in distribution):
    from redhat_installer import RedhatInstaller as LinuxInstaller
elif "ubuntu" in distribution:
    from ubuntu_installer import UbuntuInstaller as LinuxInstaller
elif "suse" in distribution:
    from suse_installer import SuseInstaller as LinuxInstaller
else:
    print("Unsupported distribution : " + distribution)
    exit(1)
"""


def test_the_branches_are_those_of_the_quoted_chain() -> None:
    [site] = find_sites({"installer/linux/src/installer_factory.py": FACTORY})
    for known in known_names():
        assert site.decide(known.name).branch == known.stock, known


def test_rows_are_sorted_lower_case_and_said_once() -> None:
    rows = known_distributions()
    keys = [(row.name, row.family, row.stock, row.id, " ".join(row.id_like), row.platform_id)
            for row in rows]  # fmt: skip
    assert keys == sorted(set(keys))
    for row in rows:
        assert row.name == row.name.lower().strip()
        assert len(set(row.versions)) == len(row.versions)


def test_one_name_has_one_family() -> None:
    families: dict[str, set[str]] = {}
    for row in known_distributions():
        families.setdefault(row.name, set()).add(row.family)
    assert all(len(found) == 1 for found in families.values())
