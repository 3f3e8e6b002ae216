# SPDX-License-Identifier: Apache-2.0
"""A program that can do without the package distro is judged on guests that lack it, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ngtpatch.installer.layout import FACTORY
from ngtpatch.patching.apply import apply
from tests.patching.attack_cases import outcomes
from tests.patching.test_attacks import KNOWN, NEW
from tests.patching.test_several_places import PATCHES, PICK, ROCKY, SRC, after, files

READ = (
    "    with open('/etc/os-release') as lines:\n"
    "        for line in lines:\n"
    "            if line.startswith('NAME='):\n"
    "                return line[5:].strip().strip('\"').lower()\n"
    "    return ''\n"
)
ENTRY = (
    "import os, sys\n"
    'sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))\n'
    "from installer_factory import get_linux_installer\n"
    "get_linux_installer()().install()\n"
)


def disc(top: str, test: str) -> dict[str, bytes]:
    chain = f"import sys\n{top}def get_linux_installer():\n    name = asked()\n    if {test}:\n"
    tree = files(chain=chain + PICK.format("'ubuntu' in name"))
    for path, data in tree.items():
        tree[path] = data.replace(b"import distro\n", b"", 1) if path != FACTORY else data
    return tree


#: The module gives the ID and what stands for it NAME.
OTHERWISE = (
    "try:\n    import distro\nexcept {0}:\n    distro = None\n"
    "def asked():\n    if distro:\n        return distro.id()\n" + READ
)
DEFINED = "try:\n    from distro import id as asked\nexcept {0}:\n    def asked():\n" + "".join(
    f"    {line}\n" for line in READ.splitlines()
)
TESTS = (
    "name in ('centos', 'centos linux', 'rhel')",
    "name == 'centos' or name == 'centos linux'",
    "'centos' in name or 'red hat' in name",
)


CAUGHT = ("ModuleNotFoundError", "(IOError, ImportError)", "Exception")
#: Other ways to do without the module: where it is imported, and where that is handled.
ASK = "def asked():\n    return distro.id() if distro else by_file()\n"
BY_DISTRO = "def by_distro():\n    import distro\n    return distro.id()\n"
READ_AS = {name: f"def {name}():\n{READ}" for name in ("asked", "by_file")}
WAYS = {
    "on one line": "try: import distro\nexcept ImportError: distro = None\n" + ASK,
    "with another module": "try:\n    import os, distro\nexcept ImportError:\n    distro = None\n"
    + ASK,
    "by its name": "import importlib\ntry:\n    distro = importlib.import_module('distro')\n"
    "except ImportError:\n    distro = None\n" + ASK,
    "suppressed": "import contextlib\ndistro = None\nwith contextlib.suppress(ImportError):\n"
    "    import distro\n" + ASK,
    "by a constant": "MISSING = (ImportError, SyntaxError)\ntry:\n    import distro\n"
    "except MISSING:\n    distro = None\n" + ASK,
    "by a name of another module": "import builtins\ntry:\n    import distro\n"
    "except builtins.ImportError:\n    distro = None\n" + ASK,
    "around the call": BY_DISTRO + "def asked():\n    try:\n        return by_distro()\n"
    "    except Exception:\n        return by_file()\n",
    "one after the other": BY_DISTRO + "def asked():\n    for ask in (by_distro, by_file):\n"
    "        try:\n            return ask()\n        except ImportError:\n            continue\n"
    "    return ''\n",
    "around a module": "try:\n    from with_distro import asked\nexcept ImportError:\n"
    "    from without import asked\n",
}
MODULES = {
    SRC + "with_distro.py": b"import distro\n\n\ndef asked():\n    return distro.id()\n",
    SRC + "without.py": READ_AS["asked"].encode(),
}


@pytest.mark.parametrize("way", WAYS)
def test_where_and_how_it_is_handled_does_not_matter(way: str, tmp_path: Path) -> None:
    tree = {**disc(READ_AS["by_file"] + WAYS[way], TESTS[0]), **MODULES}
    patched = apply(tree, [ROCKY], PATCHES)
    assert patched.doubts == ()
    guests = [*NEW, *(replace(one, lacks_distro=True) for one in NEW)]
    before, now = outcomes(tmp_path, [tree, after(tree, patched)], guests)
    assert set(before) == {"1 -"}
    assert set(now) == {"0 redhat"}


def test_what_is_not_known_without_it_is_named() -> None:
    top = (
        "try:\n    import distro\nexcept ImportError:\n    distro = None\ndef by_file():\n"
        "    with open('/etc/redhat-release') as line:\n"
        "        return line.read().split(' release')[0].lower()\n"
    )
    doubts = apply(disc(top + ASK, TESTS[0]), [ROCKY], PATCHES).doubts
    assert {one.kind for one in doubts} == {"without-distro"}


@pytest.mark.parametrize(
    ("top", "caught", "test"),
    [(top, "ImportError", test) for top in (OTHERWISE, DEFINED) for test in TESTS]
    + [(DEFINED, caught, TESTS[0]) for caught in CAUGHT],
)
def test_both_ways_accept(top: str, caught: str, test: str, tmp_path: Path) -> None:
    tree = disc(top.format(caught), test)
    patched = apply(tree, [ROCKY], PATCHES)
    assert patched.doubts == ()
    guests = [*NEW, *KNOWN[::6]]
    guests += [replace(one, lacks_distro=True) for one in guests]
    before, now = outcomes(tmp_path, [tree, after(tree, patched)], guests)
    new = [place for place, one in enumerate(guests) if one.name == NEW[0].name]
    assert {before[place] for place in new} == {"1 -"}, "it decides nothing"
    assert {now[place] for place in new} == {"0 redhat"}
    others = [place for place in range(len(guests)) if place not in new]
    assert [now[place] for place in others] == [before[place] for place in others]


def test_a_way_that_cannot_be_extended_is_named() -> None:
    tree = disc(OTHERWISE.format("ImportError"), "name == 'centos' or len(name) == 12")
    doubts = apply(tree, [ROCKY], PATCHES).doubts
    assert {one.kind for one in doubts} == {"without-distro"}
    assert (FACTORY, 16) in {(one.path, one.line) for one in doubts}
    assert "distro is missing" in doubts[0].text


def test_who_has_to_have_it_ends_for_everybody_alike() -> None:
    """Nothing is said of a guest on which nobody gets any further."""
    top = "try:\n    import distro\nexcept ImportError:\n    sys.exit('distro is needed')\n"
    tree = disc(top + "asked = distro.id\n", "name in ('centos', 'rhel')")
    patched = apply(tree, [ROCKY], PATCHES)
    assert patched.doubts == ()
    assert patched.changed
