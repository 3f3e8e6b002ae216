# SPDX-License-Identifier: Apache-2.0
"""Sources that only a Python 2 reads: understood, and edited where they stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.hazards import find_hazards
from ngtpatch.installer.layout import FACTORY
from ngtpatch.installer.python2 import NotTranslated, Translation, original_column, translate
from ngtpatch.installer.python_source import parse
from ngtpatch.installer.recognition import sites_in
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from ngtpatch.patching.recognise import recognise
from tests.interpreters import interpreter

# Each is one statement or more, at the start of a function's body, on Python 2 alone.
SYNTAX = {
    "print": 'print "Platform"',
    "print to a file": 'import sys\n  print >>sys.stderr, "Platform"; print 1',
    "except": "try:\n    pass\n  except OSError, error:\n    pass",
    "octal": "import os\n  os.umask(0022)",
    "long": "limit = 10L",
    "backticks": "text = `1`",
    "unequal": "if 1 <> 2:\n    pass",
    "exec": 'exec "a = 1" in {}',
    "raise": 'if 0:\n    raise ValueError, "wrong"',
    "raw unicode": 'import re\n  re.compile(ur"\\d+")\n  print 1',
    "raw unicode with an escape": "assert ur'caf\\u00e9 \\d \\'' != 0777\n  print 1",
    "windows path": 'path = "C:\\Program Files\\New\\user"\n  print path',
    "tabs": "if 1:\n\tprint 1\n        print 2",
    "has_key": 'print {}.has_key("a")',
    "tuple parameter of a lambda": "print sorted({1: 2}.items(), key=lambda (k, v): (v, k))",
    "tuple parameters": "def pick((a, (b, c)), d=1, *e):\n    if a:\n      return b\n"
    "  pick((1, (2, 3)))",
    "tuple parameter on the line": "def pick((a, b)): return a, b\n  print pick((1, 2))",
    "octal long": "assert 0755L == 493",
    "bare iterables": "assert [x + y for x in 1, 2 for y in 3, 4] == [4, 5, 5, 6]",
    "names that are keywords now": "nonlocal = async = await = 1\n  print nonlocal, async",
    "a tuple of an exception": "try:\n    raise IOError(1, 'no')\n"
    "  except (IOError, OSError), (a, b):\n    # why\n    print a, b",
    "unicode literal": 'print u"\\u00e9" == "\\\\u00e9"',
}
CHAIN = """# -*- coding: utf-8 -*-
import platform


def get_linux_installer():
  {statement}
  name = platform.linux_distribution()[0].lower()  # d\u00e9j\u00e0
  if ("centos" in name or
      "red hat" in name):
    from redhat_installer import RedhatInstaller as LinuxInstaller
  elif "ubuntu" in name:
    from ubuntu_installer import UbuntuInstaller as LinuxInstaller
  else:
    raise SystemExit("Unsupported distribution : " + name)
  return LinuxInstaller
"""
RUN = """
import platform, sys, types
platform.linux_distribution = lambda: (sys.argv[2], "8", "")
for name in ("redhat", "ubuntu"):
    module = types.ModuleType(name + "_installer")
    setattr(module, name.title() + "Installer", name)
    sys.modules[name + "_installer"] = module
names = {}
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), names)
sys.stdout.write("\\n" + names["get_linux_installer"]())
"""


def decided(file: Path, name: str) -> str:
    run = subprocess.run(
        [interpreter("2.7"), "-c", RUN, file, name], capture_output=True, text=True, check=False
    )
    return run.stdout.rsplit("\n", 1)[-1] if run.returncode == 0 else run.stderr.splitlines()[-1]


@pytest.mark.parametrize("statement", SYNTAX.values(), ids=SYNTAX)
def test_a_chain_beside_old_syntax_is_extended_and_runs(tmp_path: Path, statement: str) -> None:
    data = CHAIN.format(statement=statement).encode()
    with pytest.raises(SyntaxError):
        compile(data, "old", "exec")
    source = parse("installer_factory.py", data)
    assert source.translated is not None
    patch = next(one for one in load_patches() if one.id == "factory")
    outcome = recognise(source, patch, [load_profiles()["rocky"]])
    after = insert(source, outcome.insertions)
    # A pure insertion into the original bytes.
    (one,) = outcome.insertions
    assert after.replace(b'"rocky linux" in name or\n      ', b"") == data
    assert len(after) == len(data) + len(one.text)
    file = tmp_path / "factory.py"
    for content, rocky in (
        (data, "Unsupported distribution : rocky linux"),
        (after, "redhat"),
    ):
        file.write_bytes(content)
        assert decided(file, "Rocky Linux") == rocky
        assert decided(file, "CentOS Linux") == "redhat"
        assert decided(file, "Ubuntu") == "ubuntu"
        assert decided(file, "Debian") == "Unsupported distribution : debian"


def test_a_header_in_old_syntax_is_extended_where_that_stands_apart(tmp_path: Path) -> None:
    text = CHAIN.format(statement="print 1").replace('"red hat" in name)', '"qj" in `name`)')
    patch = next(one for one in load_patches() if one.id == "factory")
    source = parse("installer_factory.py", text.encode())
    (one,) = recognise(source, patch, [load_profiles()["rocky"]]).insertions
    assert one.text == '"rocky linux" in name or\n      '
    file = tmp_path / "factory.py"
    file.write_bytes(insert(source, (one,)))
    assert decided(file, "Rocky Linux") == "redhat"
    assert decided(file, "Debian") == "Unsupported distribution : debian"


# Two tests as a header has them, and what is made of them.
OLD_TESTS = {
    "unequal": (
        "not (name <> 'centos linux' and name <> 'red hat')",
        "not (name <> 'centos linux' and name <> 'rocky linux' and name <> 'red hat')",
    ),
    "backticks": ("'centos' in `name` or 'red hat' in `name`", None),
    "raw unicode": ("name in (ur'centos linux', ur'red hat', ur'x')", None),
}


@pytest.mark.parametrize(("test", "made"), OLD_TESTS.values(), ids=OLD_TESTS)
def test_a_header_in_old_syntax_is_edited_or_refused_never_cut(
    tmp_path: Path, test: str, made: str | None
) -> None:
    header = '("centos" in name or\n      "red hat" in name)'
    assert header in CHAIN
    text = CHAIN.format(statement="print 1").replace(header, test)
    patch = next(one for one in load_patches() if one.id == "factory")
    source = parse("installer_factory.py", text.encode())
    if made is None:
        with pytest.raises(Refusal) as caught:
            recognise(source, patch, [load_profiles()["rocky"]])
        assert caught.value.code == "shape"
        return
    after = insert(source, recognise(source, patch, [load_profiles()["rocky"]]).insertions)
    assert after == text.replace(test, made).encode()
    file = tmp_path / "factory.py"
    file.write_bytes(after)
    assert decided(file, "Rocky Linux") == decided(file, "CentOS Linux") == "redhat"
    assert decided(file, "Ubuntu") == "ubuntu"


def test_what_only_a_python_2_reads_stops_a_guest_with_python_3() -> None:
    tree = {FACTORY: CHAIN.format(statement="print 1").encode()}
    (hazard,) = (one for one in find_hazards(tree) if one.code == "python2-syntax")
    assert hazard.stops
    assert hazard.line == 6
    assert not hazard.concerns(python="2.7")
    assert hazard.concerns(python="3.6")


def test_newer_syntax_is_told_apart_from_old_and_from_none() -> None:
    newer = "type Names = list[str]\n"
    if sys.version_info < (3, 12):
        with pytest.raises(Refusal, match=r"syntax of Python 3\.12") as caught:
            parse("a.py", newer.encode())
        assert "3.12 or newer" in (caught.value.hint or "")
    with pytest.raises(Refusal, match="neither in Python 3"):
        parse("a.py", b"this is prose, not a program\n")
    for hostile in ("(" * 5000, "\0", "print " * 3000):
        with pytest.raises(Refusal):
            parse("a.py", hostile.encode())


def test_the_translation_has_the_lines_of_the_original() -> None:
    text = CHAIN.format(statement=SYNTAX["tabs"]).replace("\n", "\r\n")
    translated = translate(text)
    assert isinstance(translated, Translation)
    assert translated.text.count("\n") == text.count("\n")
    ast.parse(translated.text)
    assert sites_in(parse("a.py", text.encode()))[0].line == 10
    assert translate("class") == NotTranslated(1)
    assert translate("import async\nprint 1") == NotTranslated(1, "an import of async")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Where both stop, each is named.
        (
            "print 1\nx = (1,\ny = 2 2\n",
            "line 1 is not valid in Python 3 .* line 3 not in Python 2",
        ),
        ("print 1\nTrue = 1\n", "line 2 is written in a way of Python 2 that is not followed"),
        (
            "print 1\n\nf = lambda (a, (b, c)): a\n",
            "line 3 is written in a way of Python 2 .*tuple",
        ),
        ("print 1\ndef f((a,\n  b)): pass\n", "line 2 is written in a way of Python 2 .*lines"),
    ],
)
def test_the_line_that_is_the_cause_is_named(text: str, said: str) -> None:
    with pytest.raises(Refusal, match=f"(?s){said}") as caught:
        parse("a.py", text.encode())
    assert caught.value.code == "unparsable"


def test_nodes_behind_a_header_that_is_taken_apart_are_on_their_lines() -> None:
    text = "def f((a, b), (c, d)):\n  # why\n  if a:\n    print b\n\nmark = 1\n"
    tree = parse("a.py", text.encode()).tree
    lines = [getattr(node, "lineno", 0) for node in ast.walk(tree) if isinstance(node, ast.If)]
    assert lines == [3]
    assert tree.body[-1].lineno == 6


def test_columns_are_found_before_and_behind_a_change_and_not_within() -> None:
    old, new = '\tprint "a" if x', '        print("a" if x)'
    assert original_column("abc", "abc", 2) == 2
    assert original_column("\tif x:", "        if x:", 8) == 1
    assert original_column(old, new, 14) is None
    assert original_column("x <> y: z", "x != y: z", 1) == 1
    assert original_column("10L + a", "10 + a", 5) == 6
