# SPDX-License-Identifier: Apache-2.0
"""What a test compares is followed to the distribution's name, or said not to be.

Judged by running the files of an agent before and after, on every distribution that is known.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ngtpatch.patching.known_names import known_names
from ngtpatch.patching.likeness import liken
from ngtpatch.patching.profile import load_profiles
from ngtpatch.patching.treated import Likened
from tests.interpreters import interpreter

ASK = "distro.linux_distribution()[0].lower()"
PARENT = f"""import distro


class Base(object):
    def __init__(self):
        self._d = {ASK}

    def image(self):
        if "centos" in self._d:
            return "initramfs"
        return None
"""
CHILD = """class Agent(Base):
    def tool(self):
        if "centos" in self._d or "red hat" in self._d:
            return "yum"
        elif "ubuntu" in self._d:
            return "apt"
        return None
"""
ANSWER = """

def answer():
    agent = Agent()
    return [agent.image(), agent.tool()]
"""
SHAPES = {
    "a parent class": {"agent.py": f"{PARENT}\n\n{CHILD}{ANSWER}"},
    "a parent class of another file": {
        "base.py": PARENT,
        "agent.py": f"from base import Base\n\n\n{CHILD}{ANSWER}",
    },
    "a parent class of a package, with an __init__ above it": {
        "lib/__init__.py": "",
        "lib/base.py": PARENT,
        "agent.py": "import lib.base\n\n\nclass Middle(lib.base.Base):\n    def __init__(self):\n"
        f"        super(Middle, self).__init__()\n\n\n{CHILD.replace('Base', 'Middle')}{ANSWER}",
    },
    "no or-chain": {
        "agent.py": PARENT
        + CHILD.replace('"centos" in self._d or "red hat" in self._d',
                        'self._d.startswith(("centos", "red hat"))')
        + ANSWER,
    },
}  # fmt: skip
RUN = """
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, ".")
class Distro(object):
    name = ""
    def linux_distribution(self):
        return (self.name, "8", "")
sys.modules["distro"] = Distro()
answers = {}
for name in json.loads(sys.argv[1]):
    Distro.name = name
    for one in ("agent", "base", "lib", "lib.base"):
        sys.modules.pop(one, None)
    import agent
    answers[name] = agent.answer()
print(json.dumps(answers))
"""


def likened(files: Mapping[str, str]) -> Likened:
    data = {path: text.encode() for path, text in files.items()}
    return liken(data, [load_profiles()["rocky"]])


def answers(folder: Path, python: str, files: Mapping[str, str]) -> dict[str, object]:
    known = {one.name.title() for one in known_names()}
    names = sorted({*known, "CentOS Linux", "Rocky Linux", "Zzyzx"})
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    command = [interpreter(python), "-c", RUN, json.dumps(names)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("python", ["2.7", "3.9"])
@pytest.mark.parametrize("files", SHAPES.values(), ids=SHAPES)
def test_an_attribute_that_a_parent_class_sets_is_followed(
    tmp_path: Path, files: Mapping[str, str], python: str
) -> None:
    before = answers(tmp_path / "before", python, files)
    assert before["Rocky Linux"] != before["CentOS Linux"] == ["initramfs", "yum"]
    found = likened(files)
    patched = {**files, **{path: data.decode() for path, data in found.contents.items()}}
    after = answers(tmp_path / "after", python, patched)
    assert after["Rocky Linux"] == before["CentOS Linux"]
    assert {**after, "Rocky Linux": 0} == {**before, "Rocky Linux": 0}
    assert {one.treatment for one in found.treated} == {"extended"}


UNFOLLOWED = {
    "who sets it is not seen": "class Other(object):\n    def tool(self):\n"
    '        if "centos" in self._other:\n            return "yum"\n',
    "an argument that nobody gives": 'def tool(name):\n    if "centos" in name:\n'
    '        return "yum"\n',
    "one that nobody gives, in no or-chain": "def tool(name):\n"
    '    if name.startswith(("centos", "red hat")):\n        return "yum"\n',
    "what a program prints": "import subprocess\n\n\ndef tool():\n"
    '    name = subprocess.check_output(["lsb_release", "-si"])\n'
    '    if name in ("CentOS", "RedHatEnterpriseServer"):\n        return "yum"\n',
    "what a file holds": 'def tool():\n    name = open("/etc/redhat-release").read()\n'
    '    if "CentOS" in name or "Red Hat" in name:\n        return "yum"\n',
    "an argument, or else the name": "class Other(object):\n"
    "    def __init__(self, name=None):\n"
    f"        self.name = (name or {ASK}).lower()\n\n"
    '    def tool(self):\n        if "centos" in self.name:\n            return "yum"\n',
}


@pytest.mark.parametrize("text", UNFOLLOWED.values(), ids=UNFOLLOWED)
def test_a_file_is_not_patched_in_half_where_a_subject_is_not_known(text: str) -> None:
    alone = likened({"agent.py": f"import distro\n\n\n{text}"})
    place = next(line for line, row in enumerate(text.splitlines(), 4) if "if " in row)
    assert [(one.line, one.treatment) for one in alone.treated] == [(place, "left")]
    assert "not followed" in alone.treated[0].reason
    beside = likened({"agent.py": f"{PARENT}\n\n{text}"})
    assert not beside.contents
    assert {one.treatment for one in beside.treated} == {"left"}


def test_an_argument_that_another_file_gives_is_named() -> None:
    tools = 'def tool(name):\n    if "centos" in name:\n        return "yum"\n'
    agent = f"import distro\nimport tools\n\n\ndef answer():\n    return tools.tool({ASK})\n"
    found = likened({"agent.py": agent, "tools.py": tools})
    assert [(one.path, one.line) for one in found.treated] == [("tools.py", 2)]


def test_a_table_that_is_asked_outside_of_a_test_is_named() -> None:
    found = likened(
        {
            "agent.py": "import distro\n\n\ndef tool():\n"
            '    return {"centos linux": 1, "ubuntu": 2}.get(open("/etc/kind").read())\n'
        }
    )
    assert [(one.line, one.treatment) for one in found.treated] == [(5, "left")]


def test_that_the_kin_is_not_accepted_is_said_of_the_name_alone() -> None:
    """What has nothing to do with distributions turns away nobody."""
    library = (
        "import platform  # centos\n\n\ndef page(headers, files):\n"
        '    if "html" in headers.get("content-type", "").lower():\n        return 1\n'
        '    if "suse" in headers or "ubuntu" in files:\n        return 2\n'
        '    return "win" in headers\n'
    )
    assert likened({"lib/package_index.py": library}).treated == ()
    name = f"import distro\n\n\ndef tool():\n    name = {ASK}\n"
    for text in ('    if "red hat" in name:\n        return 1\n', '    return "red hat" in name\n'):
        found = likened({"agent.py": name + text})
        assert [(one.line, one.treatment) for one in found.treated] == [(6, "unaccepted")]


def test_an_expression_is_no_table_though_a_test_asks_for_the_same_text() -> None:
    found = likened(
        {
            "utils.py": f"import distro\n\n\ndef is_redhat():\n    name = {ASK}\n"
            '    return "centos" in name or "red hat" in name\n',
            "agent.py": f"import distro\n\n\ndef tool():\n    name = {ASK}\n"
            '    if "centos" in name:\n        return "yum"\n    return None\n',
        }
    )
    assert [(one.path, one.treatment) for one in found.treated] == [
        ("agent.py", "extended"),
        ("utils.py", "extended"),
    ]


def test_what_pythons_own_files_compare_is_not_listed() -> None:
    text = 'def known(name):\n    if "redhat" in name or "centos" in name:\n        return name\n'
    table = '_known = ("SuSE", "centos", "fedora")\n'
    for path in ("lib/platform.py", "lib/site-packages/pip/_vendor/distro.py"):
        assert likened({path: text + table}).treated == ()
    assert likened({"lib/others.py": text}).treated
