# SPDX-License-Identifier: Apache-2.0
"""Small installers that attack what the execution on paper understands, and their judge.

The cases stand in ``attacks/*.txt``: ``=== name`` or ``=== name: must`` (it has to be patched
without doubts), then code for ``get_linux_installer`` before its chain; ``>>>`` replaces the
line that asks for the name, ``--- top``, ``--- before``, ``--- after`` and ``--- file path``
say where the lines below them go.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.layout import FACTORY, ROOT

__all__ = ["Attack", "attacks", "outcomes", "shell_scripts"]

HERE = Path(__file__).parent
_ENTRY = """\
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))
from installer_factory import get_linux_installer
get_linux_installer()().install()
"""
_INSTALLER = 'class {0}Installer(object):\n    def install(self):\n        print("INSTALLED {1}")\n'
_CHAIN = """\
if ("centos" in distribution or
    "oracle linux server" in distribution or
    "red hat" in distribution):
    from redhat_installer import RedhatInstaller as LinuxInstaller
elif "ubuntu" in distribution:
    from ubuntu_installer import UbuntuInstaller as LinuxInstaller
else:
    print("Unsupported distribution : " + distribution)
    sys.exit(1)
"""
_ASKING = "distribution = distro.linux_distribution()[0].lower()"


@dataclass(frozen=True)
class Attack:
    """One case: a tree of files, and whether it has to be patched."""

    name: str
    must: bool
    tree: Mapping[str, bytes]


def attacks(kind: str, *, apart: bool = False) -> Iterator[Attack]:
    """Yield the cases of ``attacks/<kind>.txt``; *apart*: in a module of their own."""
    for block in re.split(r"^=== ", (HERE / "attacks" / f"{kind}.txt").read_text(), flags=re.M)[1:]:
        title, _, text = block.partition("\n")
        if not (apart and re.search("^(?:>>>|--- after|--- file install_ngt)", text, re.M)):
            tree = _tree(text, apart=apart)
            yield Attack(title.removesuffix(": must"), title.endswith(": must"), tree)


def shell_scripts() -> list[tuple[str, bool, str]]:
    """Return the scripts of ``attacks/shell.txt``: name, whether it has to be patched, text."""
    found = []
    for block in re.split(r"^=== ", (HERE / "attacks" / "shell.txt").read_text(), flags=re.M)[1:]:
        title, _, text = block.partition("\n")
        found.append((title.removesuffix(": must"), title.endswith(": must"), text))
    return found


def _tree(text: str, *, apart: bool) -> dict[str, bytes]:
    parts: dict[str, list[str]] = {"before": []}
    at, asking = "before", _ASKING
    for line in text.splitlines():
        if line.startswith("--- "):
            at = line[4:]
            parts[at] = []
        elif line.startswith(">>> "):
            asking = line[4:]
        else:
            parts[at].append(line)
    code = {at: "\n".join(lines) for at, lines in parts.items()}
    top = "import sys\nimport distro\n" + code.get("top", "") + "\n\n\n"
    check = "\n".join([asking, code["before"], ""])
    body = "\n".join([asking if apart else check, _CHAIN, code.get("after", "")])
    factory = "import sys\nimport distro\n\n\n" if apart else top
    factory += "def get_linux_installer():\n" + indent(body, "    ")
    factory += "\n    return LinuxInstaller\n"
    files = {
        "install_ngt.py": _ENTRY,
        "src/redhat_installer.py": _INSTALLER.format("Redhat", "redhat"),
        "src/ubuntu_installer.py": _INSTALLER.format("Ubuntu", "ubuntu"),
        FACTORY.removeprefix(ROOT): factory,
    }
    if apart:
        files["src/precheck.py"] = top + "def check():\n" + indent(check, "    ")
        files["install_ngt.py"] = _ENTRY.replace(
            "\nget_", "\nimport precheck\nprecheck.check()\nget_"
        )
    for at, lines in code.items():
        if at.startswith("file "):
            files[at[5:]] = lines + "\n"
    return {ROOT + path: lines.encode() for path, lines in files.items()}


def outcomes(
    folder: Path, trees: Sequence[Mapping[str, bytes]], worlds: Sequence[World]
) -> list[list[str]]:
    """Run each tree's ``install_ngt.py`` on every guest; return how each ended."""
    paths = {"release": str(folder / "os-release"), "redhat": str(folder / "redhat-release")}
    folders = []
    for number, tree in enumerate(trees):
        root = folder / str(number)
        folders.append(str(root))
        for path, data in tree.items():
            file = root / path.removeprefix(ROOT)
            file.parent.mkdir(parents=True, exist_ok=True)
            data = data.replace(b"/etc/os-release", paths["release"].encode())  # noqa: PLW2901
            data = data.replace(b'"/etc/" + "os-" + "release"', repr(paths["release"]).encode())  # noqa: PLW2901
            file.write_bytes(data.replace(b"/etc/redhat-release", paths["redhat"].encode()))
    guests = [
        {
            "name": one.name, "id": one.id, "like": one.like, "version": one.version,
            "attributes": one.attributes(), "text": "".join(one.os_release()),
            "short": f"{one.name} release {one.version} (none)\n",
            "lacks_distro": one.lacks_distro,
        }
        for one in worlds
    ]  # fmt: skip
    request = {
        "folders": folders, "guests": guests, "paths": {**paths, "site": str(folder / "site")},
        "site": str(folder / "site"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(HERE / "attack_runner.py")],
        input=json.dumps(request), capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    found: Mapping[str, list[str]] = json.loads(done.stdout)
    return [found[one] for one in folders]
