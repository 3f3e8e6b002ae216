# SPDX-License-Identifier: Apache-2.0
"""What the agent's tests ask may stand anywhere: it is extended there. Judged by running both."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ngtpatch.patching.likeness import liken
from ngtpatch.patching.profile import load_profiles
from ngtpatch.patching.treated import Likened
from tests.interpreters import interpreter

ASKS = "import platform\n\n\ndef name():\n    return platform.linux_distribution()[0].lower()\n"
AGENT = "from told import name\n{top}\n\n\ndef answer():\n    {body}\n"
#: By what it is: the files, of which agent.py has answer().
SHAPES: Mapping[str, Mapping[str, str]] = {
    "a flag of another module": {
        "agent.py": AGENT.format(top="import flags", body="return 1 if flags.IS_EL else 0"),
        "flags.py": "from told import name\n\nIS_EL = 'red hat' in name() or 'centos' in name()\n",
    },
    "a function of another module": {
        "agent.py": AGENT.format(
            top="from kinds import is_el", body="if is_el(name()):\n        return 1\n    return 0"
        ),
        "kinds.py": "def is_el(who):\n    return who.startswith(('centos', 'red hat'))\n",
    },
    "a constant of another module": {
        "agent.py": AGENT.format(
            top="from kinds import EL",
            body="if any(one in name() for one in EL):\n        return 1\n    return 0",
        ),
        "kinds.py": "EL = ['centos', 'red hat']\n",
    },
    "a class of another module": {
        "agent.py": AGENT.format(top="from kinds import Kind", body="return Kind(name()).tool()"),
        "kinds.py": "class Kind(object):\n    def __init__(self, who):\n"
        "        self.is_el = 'centos' in who\n\n    def tool(self):\n"
        "        if self.is_el:\n            return 'lsinitrd'\n        return 'lsinitramfs'\n",
    },
    "a dictionary of which one key is in each name": {
        "agent.py": AGENT.format(top="from kinds import tool", body="return tool(name())"),
        "kinds.py": "T = {'centos': 1, 'ubuntu': 2, 'sles': 3}\n\n\ndef tool(who):\n"
        "    for one, found in T.items():\n        if one in who:\n            return found\n",
    },
    "a set of which one element is in each name": {
        "agent.py": AGENT.format(top="from kinds import is_el", body="return is_el(name())"),
        "kinds.py": "EL = set(['centos', 'red hat'])\n\n\ndef is_el(who):\n"
        "    for one in EL:\n        if one in who:\n            return True\n    return False\n",
    },
    "flags of two modules": {
        "agent.py": AGENT.format(
            top="import flags, more",
            body="found = []\n    if flags.IS_EL:\n        found.append(1)\n"
            "    if more.HAS_RPM:\n        found.append(2)\n    return found",
        ),
        "flags.py": "from told import name\n\nIS_EL = 'centos' in name()\n",
        "more.py": "from told import name\n\nHAS_RPM = name() == 'centos linux'\n",
    },
}
NAMES = ("Rocky Linux", "CentOS Linux", "Ubuntu", "SLES", "Fedora Linux", "AlmaLinux", "openEuler")
RUN = """
import platform, sys
for name in sys.argv[1:]:
    platform.linux_distribution = lambda: (name, "8", "")
    for module in ("agent", "flags", "kinds", "more", "told"):
        sys.modules.pop(module, None)
    try:
        import agent
        print("%s=%s" % (name, agent.answer()))
    except Exception as error:
        print("%s=%s" % (name, type(error).__name__))
"""


def likened(files: Mapping[str, str]) -> Likened:
    found = {path: text.encode() for path, text in {"told.py": ASKS, **files}.items()}
    return liken(found, [load_profiles()["rocky"]])


def answers(folder: Path, files: Mapping[str, str], version: str) -> dict[str, str]:
    folder.mkdir()
    for path, text in {"told.py": ASKS, "run.py": RUN, **files}.items():
        (folder / path).write_text(text)
    command = [interpreter(version), "-B", "run.py", *NAMES]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in run.stdout.splitlines())


@pytest.mark.parametrize("version", ["2.7", "3.12"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_decides_is_extended_where_it_stands(shape: str, version: str, tmp_path: Path) -> None:
    files = SHAPES[shape]
    found = likened(files)
    assert "agent.py" not in found.contents
    assert not [one for one in found.treated if one.treatment == "left"]
    patched = {**files, **{path: data.decode() for path, data in found.contents.items()}}
    before = answers(tmp_path / "before", files, version)
    after = answers(tmp_path / "after", patched, version)
    assert before["Rocky Linux"] != before["CentOS Linux"]
    assert after == {**before, "Rocky Linux": before["CentOS Linux"]}
    again = likened(patched)
    assert not again.contents
    assert not [one for one in again.treated if one.treatment != "alike"]


ROW = "NAMES = ['centos linux', 'ubuntu']\n"
LEFT = {
    "two places would do": {
        "agent.py": AGENT.format(
            top="from kinds import EL, MORE",
            body="if any(one in name() for one in EL + MORE):\n        return 1\n    return 0",
        ),
        "kinds.py": "EL = ['centos']\nMORE = ['centos']\n",
    },
    "the number of the constant's elements decides elsewhere": {
        "agent.py": AGENT.format(
            top="from kinds import EL",
            body="if any(one in name() for one in EL):\n        return 1\n    return 0",
        ),
        "kinds.py": "EL = ['centos', 'red hat']\n",
        "tool.py": "from kinds import EL\n\nfirst, second = EL\n",
    },
    "something else decides as well": {
        "agent.py": AGENT.format(
            top="import flags, random",
            body="if flags.IS_EL and random.random() < len(name()) - 12:\n        return 1\n"
            "    return 0",
        ),
        "flags.py": "from told import name\n\nIS_EL = 'centos' in name()\n",
    },
    "a value that is made of the name": {
        "agent.py": AGENT.format(
            top="import flags", body="return name() + '.repo' if 'centos' in name() else None"
        ),
        "flags.py": "",
    },
    "the place of the constant's elements gives a value": {
        "agent.py": AGENT.format(
            top=f"{ROW}PATHS = ['a', 'a', 'b']",
            body="if name() in NAMES:\n        return PATHS[NAMES.index(name())]\n    return None",
        ),
    },
    "the place of the constant's elements, in a table made of them": {
        "agent.py": AGENT.format(
            top=f"{ROW}AT = dict((n, i) for i, n in enumerate(NAMES))\nPATHS = ['a', 'a', 'b']",
            body="if name() not in NAMES:\n        return None\n    return PATHS[AT[name()]]",
        ),
    },
    "the number of the constant's elements, in a template": {
        "agent.py": AGENT.format(
            top=ROW,
            body="if name() in NAMES:\n        return 1\n    return '%s, %s' % tuple(NAMES)",
        ),
    },
    "the number of the constant's elements, in a number": {
        "agent.py": AGENT.format(
            top=ROW, body="if name() in NAMES:\n        return 1\n    return 100 / len(NAMES)"
        ),
    },
    "a dictionary is gone through, and two of its keys are in one name": {
        "agent.py": AGENT.format(
            top="T = {'centos': 1, 'suse': 2, 'opensuse': 3, 'linux server': 4, 'red hat': 5}",
            body="for one in T:\n        if one in name():\n            return T[one]",
        ),
    },
    "a set is gone through, and two of its elements are in one name": {
        "agent.py": AGENT.format(
            top="EL = set(['centos', 'red hat'])\nREST = set(['ubuntu', 'enterprise'])",
            body="for one in EL | REST:\n        if one in name():\n            return one in EL",
        ),
    },
    "a method whose name is made of the distribution's": {
        "agent.py": AGENT.format(
            top="class Tool(object):\n    def on_centos(self):\n        return 1\n",
            body="tell = getattr(Tool(), 'on_' + name().split()[0], None)\n"
            "    return tell and tell() or 0",
        ),
    },
    "a test that is extended, and such a method": {
        "agent.py": AGENT.format(
            top="import tools",
            body="if 'centos' in name():\n        return tools.told()\n    return 0",
        ),
        "tools.py": "from told import name\n\n\nclass Tool(object):\n    def on_centos(self):\n"
        "        return 1\n\n\ndef told():\n"
        "    tell = getattr(Tool(), 'on_' + name().split()[0], None)\n    return tell and tell()\n",
    },
}


@pytest.mark.parametrize("shape", LEFT)
def test_what_is_not_proven_is_left_and_named(shape: str) -> None:
    found = likened(LEFT[shape])
    assert not found.contents or "that is extended" in shape
    assert [one for one in found.treated if one.treatment == "left"]


@pytest.mark.parametrize(
    "table",
    [
        "return {'centos linux': 'yum', 'rocky linux': 'none'}.get(name())",
        "return ['a', 'b'][['centos linux', 'rocky linux'].index(name())]",
    ],
)
def test_a_row_that_gives_the_new_name_something_else_is_not_called_alike(table: str) -> None:
    found = likened({"agent.py": AGENT.format(top="", body=table)})
    assert not found.contents
    assert [one.treatment for one in found.treated] == ["left"]
