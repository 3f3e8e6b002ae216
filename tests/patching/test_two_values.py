# SPDX-License-Identifier: Apache-2.0
"""One test of the agent is come to with the ID by some and with NAME by others: both go in.

Judged by running it before and after, with the package distro and without.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ngtpatch.patching.likeness import liken
from ngtpatch.patching.profile import load_profiles
from tests.interpreters import interpreter

AGENT = """\
try:
    import distro
except ImportError:
    distro = None


def told():
    for line in open("/etc/os-release"):
        key, _, value = line.strip().partition("=")
        if key == "NAME":
            return value.strip('"')
    return ""


def who():
    return (distro.id() if distro else told()).lower()


{0}
"""
BODIES = {
    "a tuple": "def answer():\n"
    "    if who() in ('centos', 'rhel', 'centos linux', 'red hat enterprise linux'):\n"
    "        return 'dracut'\n    return 'mkinitramfs'",
    "operands": "def answer():\n"
    "    if who() == 'centos' or who() == 'centos linux':\n"
    "        return 'dracut'\n    return 'mkinitramfs'",
    "a searched text": "class Agent(object):\n    def __init__(self):\n        self.who = who()\n\n"
    "    def tool(self):\n        if 'centos' in self.who or 'red hat' in self.who:\n"
    "            return 'dracut'\n        return 'mkinitramfs'\n\n\n"
    "def answer():\n    return Agent().tool()",
    "a table": "TOOLS = {'ubuntu': 'mkinitramfs', 'centos': 'dracut', 'centos linux': 'dracut'}\n"
    "\n\n"
    "def answer():\n    if who() in TOOLS:\n        return TOOLS[who()]\n    return None",
}
GUESTS = {
    "Rocky Linux": "rocky", "AlmaLinux": "almalinux", "CentOS Linux": "centos", "Ubuntu": "ubuntu",
    "openEuler": "openEuler", "Fedora Linux": "fedora", "Debian GNU/Linux": "debian",
}  # fmt: skip
RUN = """
import io, sys
name, asked, has = sys.argv[1:]
if has == "yes":
    distro = type(sys)("distro")
    distro.id = lambda: asked
else:
    distro = None  # importing it fails
sys.modules["distro"] = distro
import agent
agent.open = lambda path: io.StringIO(u"NAME=\\"%s\\"\\nID=%s\\n" % (name, asked))
print(agent.answer())
"""


def answers(folder: Path, agent: bytes, version: str) -> dict[tuple[str, str], str]:
    folder.mkdir()
    (folder / "agent.py").write_bytes(agent)
    (folder / "run.py").write_text(RUN)
    found = {}
    for name, asked in GUESTS.items():
        for has in ("yes", "no"):
            command = [interpreter(version), "-B", "run.py", name, asked, has]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
            found[name, has] = run.stdout
    return found


@pytest.mark.parametrize("new", [("rocky",), ("almalinux",), ("rocky", "almalinux")])
@pytest.mark.parametrize("body", BODIES)
def test_both_values_go_in(body: str, new: tuple[str, ...], tmp_path: Path) -> None:
    agent = AGENT.format(BODIES[body]).encode()
    profiles = [load_profiles()[one] for one in new]
    found = liken({"agent.py": agent}, profiles)
    assert not [one for one in found.treated if one.treatment == "left"]
    patched = found.contents["agent.py"]
    names = {one.name for one in profiles}
    for version in ("2.7", "3.12"):
        before = answers(tmp_path / f"before{version}", agent, version)
        after = answers(tmp_path / f"after{version}", patched, version)
        for (name, has), said in before.items():
            kin = before["CentOS Linux", has]
            assert after[name, has] == (kin if name in names else said)
            assert said != kin or name not in names
    again = liken({"agent.py": patched}, profiles)
    assert not again.contents
    assert not [one for one in again.treated if one.treatment != "alike"]
