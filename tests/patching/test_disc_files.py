# SPDX-License-Identifier: Apache-2.0
"""A file of the disc that is named after the distribution: whether the new name has one is known.

The disc brings one for CentOS and for Red Hat. So does what a call gets that it fails on: None,
another program, a section that nobody wrote.
"""

from __future__ import annotations

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import ROOT
from ngtpatch.patching.apply import Patched, apply
from tests.fuzz.fuzz_shapes import tree_of
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.patching.test_library_shapes import factory, picked

CHAIN = picked("'centos' in d or 'red hat' in d")
HEAD = (
    "import io\nimport os\nimport shutil\nimport subprocess\n"
    "HERE = os.path.dirname(os.path.abspath(__file__))\n"
)
PATH = "os.path.join(HERE, distro.id() + '.conf')"
OPENED = f"open({PATH})"
CAUGHT = f"try:\n    f = {OPENED}\nexcept (IOError, OSError):\n"
ABSENT = {
    "open": f"print({OPENED}.read())",
    "with": f"with {OPENED} as f:\n    print(f.read())",
    "io.open": f"io.open({PATH}, 'r', encoding='utf-8').close()",
    "by its name": "open(HERE + '/' + distro.name().split()[0].lower() + '.conf')",
    "a handler that ends": CAUGHT + "    sys.exit('no file')",
    "a handler that raises": CAUGHT + "    raise",
    "is it there": f"if not os.path.isfile({PATH}):\n    sys.exit(1)",
}
EXTENDED = {
    "None opened": "open({'centos': '/dev/null', 'rhel': '/dev/null'}.get(distro.id()))",
    "None written": "open('/dev/null', 'w').write({'centos': 'a', 'rhel': 'b'}.get(distro.id()))",
    "None in the environment": "os.environ['X'] = {'centos': 'a', 'rhel': 'b'}.get(distro.id())",
}
DOUBTED = {
    "a handler that returns": f"def start():\n    try:\n        {OPENED}\n    except IOError:\n"
    "        return\n    print('started')\nstart()",
    "a handler that goes on": CAUGHT + "    f = open(os.path.join(HERE, 'centos.conf'))",
    "another file where it is not": f"p = {PATH}\nif not os.path.exists(p):\n"
    "    p = os.path.join(HERE, 'centos.conf')\nopen(p)",
    "stat": f"print(os.stat({PATH}).st_size)",
    "copied": f"shutil.copy({PATH}, '/tmp')",
    "shown by a program": f"print(subprocess.Popen(['cat', {PATH}]).communicate()[0].split()[0])",
    "made before": f"shutil.copy(os.path.join(HERE, 'centos.conf'), {PATH})\n{OPENED}",
    "in a handler": f"try:\n    shutil.copy({PATH}, '/tmp')\nexcept IOError:\n    sys.exit(1)",
    "in a handler, at last": f"try:\n    shutil.copy({PATH}, '/tmp')\nfinally:\n    print(1)",
    "no program": "subprocess.call([{6: 'true', 4: 'true'}.get(len(distro.id()))])",
    "another program": "subprocess.call([{6: 'true'}.get(len(distro.id()), 'x'), '-v'])",
    "None copied": "shutil.copy({6: '/a', 4: '/a'}.get(len(distro.id())), '/tmp')",
    "None as a level": "import logging\n"
    "logging.getLogger().setLevel({'centos': 10, 'rhel': 20}.get(distro.id()))",
    "a section": "import ConfigParser\np = ConfigParser.ConfigParser()\n"
    "p.read(HERE + '/units.ini')\nprint(p.get(distro.id(), 'unit'))",
    "a file elsewhere": "open({'centos': '/etc/a', 'rhel': '/etc/a'}.get(distro.id(), '/etc/b'))",
}
HARMLESS = {
    "a handler that logs": f"try:\n    shutil.copy({PATH}, '/tmp')\n"
    "except IOError:\n    print('no')",
    "the same file": "open(os.path.join(HERE, 'centos.conf'))",
    "a file that the disc has for nobody": "open(os.path.join(HERE, distro.id() + '.service'))",
    "a file that is written": f"open({PATH}, 'w').write('x')",
    "a message": "subprocess.call(['logger', 'this is ' + distro.name()])",
    "a command of a shell": "os.system('logger this is ' + distro.name())",
    "None for others": "subprocess.call([{'ubuntu': 'apt'}.get(distro.id(), 'yum')])",
    "None in a log": "print({'centos': 'a'}.get(distro.id()))",
}


def _patched(before: str, **files: str) -> Patched:
    tree = tree_of(factory(HEAD + before, CHAIN))
    for name in ("centos", "rhel"):
        tree[f"{ROOT}src/{name}.conf"] = f"{name}\n".encode()
    tree |= {f"{ROOT}src/{name}": text.encode() for name, text in files.items()}
    return apply(tree, [ROCKY], PATCHES)


@pytest.mark.parametrize("name", ABSENT)
def test_what_ends_for_who_has_no_file_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        _patched(ABSENT[name])
    assert caught.value.code == "conflict"


@pytest.mark.parametrize("name", EXTENDED)
def test_a_table_that_has_none_for_the_new_name_is_extended(name: str) -> None:
    result = _patched(EXTENDED[name])
    assert b"'rocky': " in result.changed[0].after
    assert result.doubts == ()


@pytest.mark.parametrize("name", DOUBTED)
def test_what_may_fail_for_the_new_name_alone_is_a_doubt(name: str) -> None:
    assert _patched(DOUBTED[name]).doubts


@pytest.mark.parametrize("name", HARMLESS)
def test_what_all_of_them_have_or_are_only_told_stops_nothing(name: str) -> None:
    result = _patched(HARMLESS[name])
    assert result.changed
    assert result.doubts == ()


def test_what_the_new_name_s_file_says_is_not_what_its_kin_s_says() -> None:
    code = f"if {OPENED}.read() != 'x':\n    sys.exit(1)"
    assert _patched(code, **{"rocky.conf": "y"}).doubts


@pytest.mark.parametrize("name", [one for one in ABSENT if "conf" in ABSENT[one]])
def test_a_file_for_the_new_name_stops_nothing(name: str) -> None:
    result = _patched(ABSENT[name], **{"rocky.conf": "x"})
    assert result.changed
    assert result.doubts == ()
