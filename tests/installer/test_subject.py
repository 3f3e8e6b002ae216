# SPDX-License-Identifier: Apache-2.0
"""What a compared value is: followed to its source, or not followed at all."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from ngtpatch.installer.python_source import parse
from ngtpatch.installer.subject import Constant, DistroFacts, Resolver, Subject

P, D = "platform.linux_distribution", "distro.linux_distribution"


def resolved(text: str) -> Subject | Constant | None:
    """Return what the argument of ``what(...)`` holds."""
    source = parse("a.py", dedent(text).encode())
    (call,) = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "what"
    ]
    return Resolver(source.module).resolve(call.args[0])


OS_RELEASE = """
    def read():
        found = {}
        with open("/etc/os-release") as lines:
            for line in lines:
                key, _, value = line.partition("=")
                found[key] = value.strip()
        return found
"""


@pytest.mark.parametrize(
    ("text", "source", "field", "case"),
    [
        ("import platform; what(platform.linux_distribution()[0].lower())", P, "name", "lower"),
        ("import platform; what(platform.linux_distribution()[0])", P, "name", "kept"),
        ("import platform; what(platform.linux_distribution()[1])", P, "version", "kept"),
        ("import distro as d; what(d.linux_distribution()[0].upper())", D, "name", "upper"),
        ("from lib import distro; what(distro.linux_distribution()[0])", D, "name", "kept"),
        ("import distro; what(distro.linux_distribution(False)[0])", D, "id", "kept"),
        (
            "import distro; what(distro.linux_distribution(full_distribution_name=True)[0])",
            D,
            "name",
            "kept",
        ),
        (
            "import distro; what(distro.linux_distribution(full_distribution_name=False)[0])",
            D,
            "id",
            "kept",
        ),
        ("import distro; what(distro.linux_distribution()[:2][1])", D, "version", "kept"),
        ("import distro; what(distro.name().casefold())", "distro.name", "name", "lower"),
        ("import distro; what(str(distro.id()))", "distro.id", "id", "kept"),
        (
            "import distro; what(distro.os_release_attr('name'))",
            "distro.os_release_attr",
            "name",
            "kept",
        ),
        (
            "import distro; what(distro.os_release_info()['id'])",
            "distro.os_release_info",
            "id",
            "kept",
        ),
        (
            "import platform; what(platform.freedesktop_os_release()['NAME'])",
            "platform.freedesktop_os_release",
            "name",
            "kept",
        ),
        (OS_RELEASE + "    what(read()['NAME'].lower())", "os-release", "name", "lower"),
        (OS_RELEASE + "    what(read().get('ID', ''))", "os-release", "id", "kept"),
        (OS_RELEASE + "    what(read()['VERSION_ID'])", "os-release", "version", "kept"),
        (
            "PATH = '/etc/os-release'\nfor line in open(PATH):\n  if line.startswith('NAME='):\n"
            "    n = line[5:].strip().upper().lower()\nwhat(n)",
            "os-release",
            "name",
            "lower",
        ),
        (
            "for line in open('/etc/os-release'):\n  key, _, value = line.partition('=')\n"
            "  if key == 'ID':\n    n = value.strip('\"')\nwhat(n)",
            "os-release",
            "id",
            "kept",
        ),
        (
            "import distro\nn = distro.name()\nn = n.strip().lower()\nwhat(n)",
            "distro.name",
            "name",
            "lower",
        ),
        ("import distro\nn, v = distro.linux_distribution()[:2]\nwhat(n)", D, "name", "kept"),
        ("import distro\n(n, v, c) = distro.linux_distribution()\nwhat(v)", D, "version", "kept"),
        ("import distro\nn, m = distro.name(), 1\nwhat(n)", "distro.name", "name", "kept"),
        (
            "import distro\nn = ''\ntry:\n  n = distro.name()\nexcept OSError:\n  n = 'unknown'\n"
            "what(n)",
            "distro.name",
            "name",
            "kept",
        ),
        (
            "import distro\nif x:\n  n = distro.name()\nelse:\n  n = distro.linux_distribution()[0]"
            "\nwhat(n)",
            D,
            "name",
            "kept",
        ),
        ("import distro\nn = distro.name() if x else ''\nwhat(n)", "distro.name", "name", "kept"),
        ("import distro\nn = distro.name() or ''\nwhat(n)", "distro.name", "name", "kept"),
        ("import distro\nwhat((n := distro.name()))", "distro.name", "name", "kept"),
        ("import distro\nn = distro.name()\ndef f():\n  what(n)", "distro.name", "name", "kept"),
        ("import distro\ndef f(n):\n  what(n)\nf(distro.name())", "distro.name", "name", "kept"),
        (
            "import distro\ndef f(x, n):\n  n = n.lower()\n  what(n)\nf(1, n=distro.name())",
            "distro.name",
            "name",
            "lower",
        ),
        (
            "import distro\nclass F:\n  def __init__(self):\n    self.n = distro.name()\n"
            "  def f(self):\n    what(self.n)",
            "distro.name",
            "name",
            "kept",
        ),
        (
            "import distro\nclass F:\n  def ask(self, x):\n    return distro.name()\n"
            "  def f(self):\n    what(self.ask(1))",
            "distro.name",
            "name",
            "kept",
        ),
        (
            "import distro\ndef f():\n  global n\n  n = distro.name()\nf()\nwhat(n)",
            "distro.name",
            "name",
            "kept",
        ),
        (
            "try:\n  import distro\nexcept ImportError:\n  distro = None\nwhat(distro.name())",
            "distro.name",
            "name",
            "kept",
        ),
    ],
)
def test_a_value_is_followed_to_its_source(text: str, source: str, field: str, case: str) -> None:
    assert resolved(text) == Subject(source, field, case)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "what(unknown)",
        "import platform; what(platform.system())",
        "import platform; what(platform.linux_distribution(full_distribution_name=0)[0])",
        "import platform; what(platform.linux_distribution(('redhat',))[0])",
        "import distro; what(distro.linux_distribution(flag)[0])",
        "import distro; what(distro.linux_distribution()[5])",
        "import distro; what(distro.linux_distribution()[i])",
        "import distro; what(distro.linux_distribution()[1:2][0])",
        "import distro; what(distro.name(pretty=True))",
        "import distro; what(distro.name()[2:])",
        "import distro; what(distro.name().split()[0])",
        "import distro; what(distro.name().replace('Linux', ''))",
        "import distro; what(distro.name().strip('Rx'))",
        "import distro; what(distro.name() + 'x')",
        "import distro; what(override or distro.name())",
        "import distro; what(distro.name() if x else 'centos')",
        "class distro:\n  pass\nwhat(distro.name())",
        "def f(distro):\n  what(distro.name())",
        "import distro\ndistro = Fake()\nwhat(distro.name())",
        "import distro\nself.distro.name()\nwhat(self.distro.name())",
        "import distro\nn = distro.name()\nn += 'x'\nwhat(n)",
        "import distro\nn = distro.name()\nfor n in names:\n  pass\nwhat(n)",
        "import distro\nn = distro.name()\nwith x as n:\n  what(n)",
        "import distro\nn = distro.name()\nif x:\n  n = other()\nwhat(n)",
        "import distro\nwhile x:\n  n = distro.name()\n  while y:\n    what(n)\n    n = other()",
        "import distro\nn = distro.name()\ndef n():\n  pass\nwhat(n)",
        "import distro\nn = distro.name()\ntry:\n  pass\nexcept E as n:\n  pass\nwhat(n)",
        "import distro\nif x:\n  n = distro.name()\nelse:\n  n = distro.id()\nwhat(n)",
        "import distro\nif x:\n  n = distro.name()\nelse:\n  n = distro.name().lower()\nwhat(n)",
        "import distro\n*n, v = distro.linux_distribution()\nwhat(n)",
        "import distro\nn, m = distro.name()\nwhat(n)",
        "import distro\ndef f(n):\n  what(n)\nf(distro.name())\nf(other())",
        "import distro\ndef f(n):\n  what(n)\nf(*distro.linux_distribution())",
        "import distro\ndef f(*n):\n  what(n)\nf(distro.name())",
        "import distro\ndef f(x):\n  if x:\n    return distro.name()\n  return other()\nwhat(f(1))",
        "import distro\ndef f():\n  return 1\ndef f():\n  return distro.name()\nwhat(f())",
        "import distro\nn = distro.name()\ndef f():\n  what(n)\nn = other()",
        "def f():\n  return f()\nwhat(f())",
        "n = n\nwhat(n)",
        "for line in open('/etc/os-release'):\n  if line.startswith('NAME'):\n    n = line\n"
        "what(n)",
        "for line in open('/etc/os-release'):\n  if not line.startswith('NAME='):\n    n = line\n"
        "what(n)",
        "for line in open('/etc/os-release'):\n  if line.startswith('ID='):\n    pass\n  else:\n"
        "    n = line.strip()\nwhat(n)",
        "for line in open('/etc/os-release'):\n  if line.startswith('NAME='):\n    n = other(line)"
        "\nwhat(n)",
        "for line in open('/etc/motd'):\n  if line.startswith('NAME='):\n    n = line.strip()\n"
        "what(n)",
        "found = {}\nwhat(found['NAME'])",
    ],
)
def test_a_value_of_doubtful_origin_is_not_followed(text: str) -> None:
    assert not isinstance(resolved(text), Subject)


def test_a_constant_is_one_however_it_is_named() -> None:
    assert resolved("TOKEN = 'centos'\nwhat(TOKEN)") == Constant("centos")
    assert resolved("what('cent' 'os')") == Constant("centos")


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        (Subject(D, "name"), "Oracle Linux Server"),
        (Subject(D, "name", "lower"), "oracle linux server"),
        (Subject(D, "name", "upper"), "ORACLE LINUX SERVER"),
        (Subject("os-release", "id"), "ol"),
        (Subject("distro.id", "id"), "oracle"),
        (Subject(D, "version"), None),
        (Subject(D, "codename"), None),
    ],
)
def test_a_subject_has_a_value_on_each_distribution(subject: Subject, value: str | None) -> None:
    assert subject.value(DistroFacts("Oracle Linux Server", "ol", "9.4")) == value


def test_an_unknown_id_has_no_value() -> None:
    assert Subject("distro.id", "id").value(DistroFacts("Oracle Linux Server")) is None
