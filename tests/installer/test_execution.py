# SPDX-License-Identifier: Apache-2.0
"""The installer executed on paper: what ends, for whom, and what is not understood."""

from __future__ import annotations

import time
from textwrap import dedent

import pytest

from ngtpatch.installer.execution.program import Execution, execute
from ngtpatch.installer.execution.worlds import World
from tests.installer.texts import ROOT

ROCKY = World("Rocky Linux", "rocky", "rhel centos fedora", "9.4", "platform:el9")
CENTOS = World("CentOS Linux", "centos", "rhel fedora", "9.4", "platform:el9")
UBUNTU = World("Ubuntu", "ubuntu", "debian", "22.04")
WORLDS = (ROCKY, CENTOS, UBUNTU)
HEAD = "import sys\nimport distro\nname = distro.linux_distribution()[0].lower()\n"


def run(text: str, **others: str) -> Execution:
    tree = {ROOT + "install_ngt.py": (HEAD + dedent(text)).encode()}
    tree |= {f"{ROOT}src/{stem}.py": dedent(code).encode() for stem, code in others.items()}
    return execute(tree, WORLDS)


def ended(text: str, **others: str) -> list[str]:
    """Return the names of those who certainly do not come through."""
    found = run(text, **others)
    assert not found.findings, found.findings
    mask = 0
    for ending in found.endings:
        mask |= 0 if ending.success else ending.certain
    return [world.id for at, world in enumerate(WORLDS) if mask >> at & 1]


@pytest.mark.parametrize(
    "text",
    [
        "if 'rocky' in name:\n  sys.exit(1)",
        "assert 'rocky' not in name",
        "{'centos linux': 1, 'ubuntu': 2}[name]",
        "while 'rocky' in name:\n  raise ValueError(name)",
        "kind = None if 'rocky' in name else 1\nif kind is None:\n  sys.exit(1)",
        "for one in ('centos', 'ubuntu'):\n  if one in name:\n    break\nelse:\n  sys.exit(2)",
        "if not any(one in name for one in ('centos', 'ubuntu')):\n  exit(1)",
        "try:\n  pass\nfinally:\n  if name.startswith('rocky'):\n    raise SystemExit('no')",
        "class Level(object):\n  value = {'centos linux': 1, 'ubuntu': 2}[name]",
        "def bad(x):\n  return x == 'rocky linux'\nif bad(name):\n  sys.exit(1)",
        "def other(f):\n  return lambda: 'rocky' in name\n@other\ndef bad():\n  return False\n"
        "if bad():\n  sys.exit(1)",
        "exec(\"if 'rocky' in name: sys.exit(1)\")",
        "globals()['name'] = 'x' if 'rocky' in name else 'y'\nif name == 'x':\n  sys.exit(1)",
        "import helper\nhelper.check(name)",
        "from helper import *\ncheck(distro.name().lower())",
        "import helper\nhelper.name = name\nhelper.ask()",
        "x = name\ndef f():\n  global x\n  x = 'q' + name[:5]\nf()\nif x == 'qrocky':\n  sys.exit(1)",  # noqa: E501 - code in one text
        "found = ''\nfor line in open('/etc/os-release'):\n  if line.startswith('ID='):\n"
        "    found = line.split('=')[1].strip().strip('\"')\nif found == 'rocky':\n  sys.exit(1)",
        "import re\nif re.match('rocky|alma', name):\n  sys.exit(1)",
        "if sorted([name, 's'])[0] != 's' and name[0] == 'r':\n  sys.exit(1)",
        "if max(('centos', 'rocky', 'ubuntu'), key=lambda one: one in name) == 'rocky':\n"
        "  sys.exit(1)",
        "match name.split():\n  case ['rocky', *_]:\n    sys.exit(1)\n  case _:\n    pass",
        "class F(object):\n  def __init__(self):\n    self.n = name\n  @property\n"
        "  def bad(self):\n    return 'rocky' in self.n\nif F().bad:\n  sys.exit(1)",
        "def told():\n  for one in (name,):\n    yield one\nif list(told())[0] == 'rocky linux':\n"
        "  sys.exit(1)",
        "import importlib\nimportlib.import_module(name.split()[0] + '_way')",
    ],
)
def test_what_ends_for_one_name_is_found_however_it_is_written(text: str) -> None:
    helper = """
        import sys
        name = ""
        def check(found):
          if found.startswith("rocky"):
            sys.exit(3)
        def ask():
          if name == "rocky linux":
            sys.exit(4)
    """
    assert ended(text, helper=helper, centos_way="", ubuntu_way="") == ["rocky"]


@pytest.mark.parametrize(
    "text",
    [
        "if 'rocky' in name:\n  print(name)",
        "kind = {'centos linux': 1}.get(name, 0)",
        "try:\n  kind = {'centos linux': 1}[name]\nexcept KeyError:\n  kind = 0",
        "tool = 'apt' if 'ubuntu' in name else 'yum'",
        "import logging\nlogging.getLogger(__name__).info('on %s', name)",
        "import subprocess\nif 'ubuntu' in name:\n  subprocess.call(['apt', 'x'])\n"
        "else:\n  subprocess.call(['yum', 'x'])",
        "import os\nif os.geteuid() != 0:\n  sys.exit(1)",
        "with open('/tmp/log', 'a') as log:\n  log.write(name)",
        "def never():\n  pass",
        "sys.exit(0)",
    ],
)
def test_what_ends_for_nobody_is_no_finding(text: str) -> None:
    assert ended(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("import other\nif other.likes(name):\n  pass_ = 1\n  sys.exit(1)", "call", 5),
        ("import json\nif name in json.load(open('x')):\n  sys.exit(1)", "condition", 5),
        ("import json\nkinds = json.load(open('x'))\nkinds[name]", "lookup", 6),
        ("exec(open('other').read())", "dynamic", 4),
        ("eval('name')", "dynamic", 4),
        ("setattr(sys, name, 1)\nx = open('/etc/redhat-release').read()\nif 'x' in x:\n"
         "  sys.exit(1)", "condition", 6),
        ("import subprocess\nout = subprocess.check_output(['lsb_release', '-is'])\n"
         "if out != 'x':\n  sys.exit(1)", "condition", 6),
        ("def f(found):\n  if found == 'centos':\n    sys.exit(1)\n", "condition", 5),
    ],
)  # fmt: skip
def test_a_use_that_is_not_understood_is_named_with_its_line(
    text: str, kind: str, line: int
) -> None:
    found = run(text).findings
    assert (kind, line) in [(one.kind, one.line) for one in found]
    assert {one.path for one in found} == {ROOT + "install_ngt.py"}


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("name.split()[0]", "rocky"),
        ("name[:3]", "roc"),
        ("name.replace(' ', '')", "rockylinux"),
        ("name.strip('rocx')", "ky linu"),
        ("name.title()", "Rocky Linux"),
        ("name.partition(' ')[0]", "rocky"),
        ("'-'.join(reversed(name.split()))", "linux-rocky"),
        ("'%s/%s' % (name, 1)", "rocky linux/1"),
        ("f'{name}!'", "rocky linux!"),
        ("[one for one in name.split() if one > 'a'][0]", "rocky"),
        ("dict(a=name)['a']", "rocky linux"),
        ("(lambda x=name: x)()", "rocky linux"),
        ("list(map(str.upper, [name]))[0] if False else name", "rocky linux"),
        ("distro.info()['id']", "rocky"),
        ("distro.os_release_attr('id')", "rocky"),
        ("distro.linux_distribution(full_distribution_name=False)[0]", "rocky"),
    ],
)
def test_what_is_done_to_a_value_is_part_of_its_meaning(value: str, holds: str) -> None:
    assert ended(f"if {value} == {holds!r}:\n  sys.exit(1)") == ["rocky"]


@pytest.mark.parametrize(
    "text",
    [
        "while True:\n  name = name + 'x'",
        "def f(a):\n  return f(a + 1)\nf(1)",
        "def f(a):\n  return g(a) + g(a)\ndef g(a):\n  return f(a) + f(a)\nf(1)",
        "x = 'a' * 10 ** 9\ny = 10 ** 10 ** 6\nz = list(range(10 ** 9))\n",
        "import re\nre.match('(a+)+$', 'a' * 60 + '!')",
        "x = [1]\nfor i in range(60):\n  x = x + x",
        "x = [a + b + c for a in range(300) for b in range(300) for c in range(300)]",
        "x = " + "+".join(["name"] * 900),
    ],
)
def test_nothing_takes_long_or_recurses(text: str) -> None:
    run(text)


def test_a_name_that_a_thousand_undecided_tests_may_bind_is_followed_no_longer() -> None:
    # Every value that it may have at every later test were a million.
    started = time.process_time()
    run("".join(f"if other{at}:\n  found = {at}\n" for at in range(3_000)))
    assert time.process_time() - started < 5


def test_a_function_that_a_program_has_called_for_everyone_tells_what_it_gave() -> None:
    found = run("def pick():\n  return Known if 'centos' in name else None\n"
                "class Known(object):\n  pass\npick()\n")  # fmt: skip
    (given,) = [groups for (_, function), groups in found.given.items() if function == "pick"]
    assert {what for mask, what in given if mask & 2} == {"class Known"}
    assert {what for mask, what in given if mask & 1} == {"None"}
