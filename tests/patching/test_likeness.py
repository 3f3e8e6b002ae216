# SPDX-License-Identifier: Apache-2.0
"""The kin rule, judged by running each file before and after on every name that is known."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ngtpatch.patching.known_names import known_names
from ngtpatch.patching.likeness import liken
from ngtpatch.patching.profile import load_profiles
from ngtpatch.patching.treated import Likened
from tests.interpreters import interpreter

HEAD = "import platform\n\n\n"
ASK = "platform.linux_distribution()[0].lower()"
# Each defines answer(); what it answers must be the same for Rocky as for CentOS afterwards.
SHAPES = {
    "a local name": f"""
def answer():
    name = {ASK}
    if "centos" in name or "red hat" in name:
        return "rpm"
    elif "ubuntu" in name:
        return "deb"
    return "none"
""",
    "a getter of an attribute": f"""
class Agent(object):
    def __init__(self, port):
        self._name = {ASK}
        self.port = port

    def get_name(self):
        return self._name

    def tool(self):
        if ("centos" in self.get_name() or
            "red hat" in self.get_name()):
            tool = "lsinitrd"
        elif "ubuntu" in self.get_name():
            tool = "lsinitramfs"
        return tool


def answer():
    return Agent(1).tool()
""",
    "a single operand": f"""
NAME = {ASK}


def answer():
    if "centos" in NAME:
        return 1
    return 0
""",
    "two chains, the second behind the first": f"""
def answer():
    name = {ASK}
    if "centos" in name or "red hat" in name:
        path = "initramfs"
    elif "ubuntu" in name:
        path = "initrd"
    else:
        raise RuntimeError(name)
    if "red hat" in name or "centos" in name:
        return path + ".img"
    return path
""",
    "in another case": """
def answer():
    name = platform.linux_distribution()[0]
    if "CentOS" in name or "Red Hat" in name:
        return "rpm"
    return "none"
""",
    "a value that is cut": f"""
def answer():
    if {ASK}[:6] == "centos":
        return 1
    return 0
""",
    "a constant that two tests ask": f"""
KNOWN = ("centos linux", "red hat enterprise linux", "ubuntu")


def answer():
    name = {ASK}
    if name not in KNOWN:
        raise RuntimeError(name)
    if name in KNOWN:
        return "some"
""",
    "a test that turns away": f"""
def answer():
    name = {ASK}
    if "centos" not in name and "red hat" not in name and "ubuntu" not in name:
        return "none"
    return "any"
""",
    "startswith and any": f"""
def answer():
    name = {ASK}
    if any(one in name for one in ["centos", "red hat"]):
        return "rpm"
    return "deb"


def tool():
    if {ASK}.startswith(("centos", "red hat")):
        return "dracut"
""",
    "a flag of the module": f"""
NAME = {ASK}
IS_EL = "centos" in NAME


def answer():
    if IS_EL:
        return "rpm"
    return "none"
""",
    "a function that tells": f"""
def is_el(name):
    return "centos" in name or "red hat" in name


def answer():
    if is_el({ASK}):
        return "rpm"
    return "none"
""",
    "a flag of an object": f"""
class Agent(object):
    def __init__(self):
        self.name = {ASK}
        self.is_el = self.name.startswith("centos")

    def tool(self):
        if self.is_el:
            return "lsinitrd"
        return "lsinitramfs"


def answer():
    return Agent().tool()
""",
    "a table that is gone through": f"""
TOOLS = {{"centos": "lsinitrd", "ubuntu": "lsinitramfs"}}


def answer():
    name = {ASK}
    for key, tool in sorted(TOOLS.items()):
        if key in name:
            return tool
    return "none"
""",
    "rows that are gone through": f"""
TOOLS = [
    ("centos", "lsinitrd"),
    ("red hat", "lsinitrd"),
    ("ubuntu", "lsinitramfs"),
]


def answer():
    name = {ASK}
    for key, tool in TOOLS:
        if key in name:
            return tool
    return "none"
""",
    "a table that is asked": f"""
TOOLS = {{
    "centos linux": "lsinitrd",
    "ubuntu": "lsinitramfs",
}}


def answer():
    return TOOLS.get({ASK})
""",
    "an assertion": f"""
def answer():
    name = {ASK}
    assert "centos" in name or "ubuntu" in name
    return "any"
""",
    "a chain, and a flag beside it": f"""
NAME = {ASK}
HAS_DRACUT = "red hat" in NAME or "centos" in NAME


def answer():
    if "centos" in NAME or "red hat" in NAME:
        tool = "rpm"
    elif "ubuntu" in NAME:
        tool = "deb"
    else:
        tool = "none"
    if HAS_DRACUT:
        tool += " dracut"
    return tool
""",
}
RUN = """
import platform, sys
names = sys.argv[2:]
for name in names:
    platform.linux_distribution = lambda: (name, "8", "")
    scope = {"__name__": "agent"}
    try:
        exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), scope)
        print("%s=%s" % (name, scope["answer"]()))
    except Exception as error:
        print("%s=%s" % (name, type(error).__name__))
"""
OTHERS = (
    *("Ubuntu", "SLES", "openSUSE Leap", "Debian GNU/Linux", "Kylin", "Fedora Linux"),
    *("CentOS Stream", "Oracle Linux Server", "Red Hat Enterprise Linux", "Rocks Linux"),
    "AlmaLinux",
)


def likened(text: str, *ids: str) -> Likened:
    profiles = load_profiles()
    return liken({"bin/a.py": text.encode()}, [profiles[one] for one in ids or ("rocky",)])


def answers(folder: Path, text: str, names: tuple[str, ...]) -> Mapping[str, str]:
    file = folder / "a.py"
    file.write_text(text)
    ran = subprocess.run(
        [interpreter("2.7"), "-c", RUN, file, *names], capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in ran.stdout.splitlines())


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_the_new_name_fares_as_its_kin_and_every_other_as_before(tmp_path: Path, text: str) -> None:
    known = tuple(one.name.title() for one in known_names() if "rocky" not in one.name)
    names = (*OTHERS, *known, "CentOS Linux", "Rocky Linux")
    before = answers(tmp_path, HEAD + text, names)
    found = likened(HEAD + text)
    after = answers(tmp_path, found.contents["bin/a.py"].decode(), names)
    assert before["Rocky Linux"] != before["CentOS Linux"]
    assert after["Rocky Linux"] == before["CentOS Linux"]
    assert {**after, "Rocky Linux": ""} == {**before, "Rocky Linux": ""}
    assert "extended" in {one.treatment for one in found.treated} <= {"extended", "alike"}
    again = likened(found.contents["bin/a.py"].decode())
    assert not again.contents
    assert {one.treatment for one in again.treated} == {"alike"}


def test_where_the_kin_is_not_accepted_nothing_changes_and_it_is_said() -> None:
    for body in (
        'return "oracle linux server" in name or "red hat" in name',
        'if "red hat" in name:\n        return 1\n    return 0',
    ):
        found = likened(f"{HEAD}def answer():\n    name = {ASK}\n    {body}\n")
        assert not found.contents
        assert [one.treatment for one in found.treated] == ["unaccepted"]


@pytest.mark.parametrize(
    "text",
    [
        f'import random\ndef answer():\n    return "centos" in {ASK}[random.random():]\n',
        f'def answer():\n    if {ASK}[:6] in ("centos",) + ("centos",):\n        return 1\n',
        f'import random\nif "centos" in {ASK} and random.random() < 2:\n    x = 1\n',
        "def answer(:\n    centos\n",
    ],
)
def test_what_cannot_be_proven_is_never_changed(text: str) -> None:
    found = likened(HEAD + text)
    assert not found.contents
    assert "extended" not in {one.treatment for one in found.treated}


def test_whom_a_consequence_may_turn_away_is_not_called_unaccepted() -> None:
    """A value of the kin's that is not known may be None: that says nothing about its name."""
    text = (
        HEAD
        + f"""
import os


def image():
    name = {ASK}
    if "centos" in name:
        return os.environ.get("IMAGE")
    return None


def answer():
    found = image()
    if found is None:
        return "nothing"
    return found
"""
    )
    found = likened(text, "rocky")
    line = text[: text.index("if found is None")].count("\n") + 1
    assert {one.treatment for one in found.treated if one.line != line} == {"extended"}
    assert [one for one in found.treated if one.line == line] == []
    barred = likened(text.replace('"centos" in name', 'name in open("/names").read()'), "rocky")
    assert "unaccepted" not in {one.treatment for one in barred.treated}


def test_a_name_that_takes_another_branch_is_left_and_named() -> None:
    text = f"""
def answer():
    name = {ASK}
    if "linux" in name and "rocky" in name:
        return "other"
    elif "centos" in name:
        return "rpm"
    return "none"
"""
    found = likened(HEAD + text)
    assert not found.contents


def test_one_new_name_after_another_and_families_by_their_own_kin(tmp_path: Path) -> None:
    text = HEAD + SHAPES["a local name"]
    found = likened(text, "rocky", "almalinux")
    after = answers(tmp_path, found.contents["bin/a.py"].decode(), ("Rocky Linux", "AlmaLinux"))
    assert set(after.values()) == {"rpm"}
    assert found.edits == {"bin/a.py": 2}
    one = likened(text, "rocky").contents["bin/a.py"].decode()
    both = likened(one, "almalinux").contents["bin/a.py"].decode()
    assert both.count("almalinux") == both.count("rocky linux") == 1


@pytest.mark.parametrize(
    ("table", "test", "line"),
    [
        ("KINDS = {'centos': 1, 'red hat': 1}", "[one for one in names.KINDS if one in name]", 0),
        ("def known(name):\n  return 'centos' in name", "names.known(name)", 0),
        (
            "KINDS = ['centos']\nMORE = ['centos']",
            "[one for one in names.KINDS + names.MORE if one in name]",
            6,
        ),
        (
            "import told\ndef known():\n  if 'centos' in told.ask().lower():\n    return 1\n"
            "  return 0",
            "names.known()",
            0,
        ),
    ],
    ids=["table", "expression", "one of two", "test that is extended"],
)
def test_a_place_that_decides_by_what_another_file_names_is_not_silent(
    table: str, test: str, line: int
) -> None:
    agent = (
        "import platform, names\nname = platform.linux_distribution()[0].lower()\n"
        f"def answer():\n  found = None\n  # who is it?\n  if {test}:\n    found = 1\n"
        "  return found\nif __name__ == '__main__':\n  answer()\n"
    )
    files = {"agent.py": agent.replace("platform.linux_distribution()[0]", "told.ask()"),
             "names.py": table + "\n",
             "told.py": "import platform\ndef ask():\n"
                        "  return platform.linux_distribution()[0]\n"}  # fmt: skip
    files["agent.py"] = files["agent.py"].replace("import platform, names", "import told, names")
    found = liken({path: text.encode() for path, text in files.items()}, [load_profiles()["rocky"]])
    left = [one.line for one in found.treated if one.path == "agent.py"]
    assert left == ([line] if line else [])
    assert ("names.py" in found.contents) is (line == 0)
