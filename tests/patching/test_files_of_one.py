# SPDX-License-Identifier: Apache-2.0
"""What one distribution alone has is no way around: a gate by a file or a package is seen.

Each accepts who has the files of CentOS. What is patched in silence is run, with those files for
CentOS and others for everybody else.
"""

from __future__ import annotations

import builtins
import os
import shutil
import types
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_shapes import tree_of
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.patching.test_library_shapes import factory, picked

CHAIN = picked("'centos' in d or 'red hat' in d")
KEYS = "/etc/pki/rpm-gpg"
TESTS = {
    "a listed folder": ("import os", f"any(n.startswith('CentOS') for n in os.listdir('{KEYS}'))"),
    "a joined list": ("import os", f"'CentOS' in ' '.join(os.listdir('{KEYS}'))"),
    "a listed folder's ends": (
        "import os",
        f"[n for n in os.listdir('{KEYS}') if n.endswith('CentOS')]",
    ),
    "where it is": ("import os", f"''.join(os.listdir('{KEYS}')).find('CentOS') >= 0"),
    "how often it is there": ("import os", f"'-'.join(os.listdir('{KEYS}')).count('CentOS')"),
    "scandir": ("import os", f"any('CentOS' in e.name for e in os.scandir('{KEYS}'))"),
    "scandir by a method": (
        "import os",
        f"any(e.name.startswith('CentOS') for e in os.scandir('{KEYS}'))",
    ),
    "a walk": ("import os", f"'CentOS' in str(list(os.walk('{KEYS}')))"),
    "glob": ("import glob", f"glob.glob('{KEYS}/CentOS*')"),
    "iglob": ("import glob", f"list(glob.iglob('{KEYS}/*'))[0].endswith('CentOS')"),
    "a path that is divided": (
        "from pathlib import Path",
        "(Path('/usr/share') / 'centos-logos').exists()",
    ),
    "a path that is joined": (
        "import pathlib",
        "pathlib.Path('/usr/share').joinpath('centos-logos').is_dir()",
    ),
    "a path's own glob": (
        "from pathlib import Path",
        "[p for p in Path('/usr/share').iterdir() if p.name.startswith('centos')]",
    ),
    "an unknown folder": (
        "import os",
        "os.path.exists(os.path.join(os.environ.get('NO', '/usr/share'), 'centos-logos'))",
    ),
    "bytes": ("import os", "os.path.exists(b'/usr/share/centos-logos')"),
    "bytes that are listed": ("import os", f"b'CentOS' in os.listdir(b'{KEYS}')"),
    "another folder": (
        "import os\nHERE = os.getcwd()\ndef there():\n    os.chdir('/usr/share')\n"
        "    try:\n        return os.path.exists('centos-logos')\n"
        "    finally:\n        os.chdir(HERE)",
        "there()",
    ),
    "a folder that may be entered": (
        "import os\nHERE = os.getcwd()\ndef there():\n    try:\n"
        "        os.chdir('/usr/share/centos-logos')\n    except OSError:\n        return False\n"
        "    os.chdir(HERE)\n    return True",
        "there()",
    ),
    "test -d": (
        "import subprocess",
        "subprocess.call(['test', '-d', '/usr/share/centos-logos']) == 0",
    ),
    "[ -e ]": ("import os", "os.system('[ -e /usr/share/centos-logos ]') == 0"),
    "ls": ("import subprocess", "subprocess.getstatusoutput('ls /usr/share/centos-logos')[0] == 0"),
    "grep": ("import os", "os.system('grep -q CentOS /etc/os-release') == 0"),
    "grep of something else": ("import os", f"os.system('ls {KEYS} | grep -q CentOS') == 0"),
    "output in bytes": (
        "import subprocess",
        f"b'CentOS' in subprocess.check_output(['ls', '{KEYS}'])",
    ),
    "output in lines": (
        "import subprocess",
        f"subprocess.check_output(['ls', '{KEYS}']).split()[0].startswith(b'CentOS')",
    ),
    "a pattern": (
        "import os, re",
        f"re.search('cent.?os', ' '.join(os.listdir('{KEYS}')).lower())",
    ),
    "configparser": (
        "import configparser\nC = configparser.ConfigParser(allow_no_value=True)\n"
        "C.read_string('[a]\\n' + open('/etc/os-release').read())",
        "'centos' in C.get('a', 'name').lower()",
    ),
    "configparser of a file": (
        "import configparser, itertools\nC = configparser.ConfigParser()\n"
        "C.read_file(itertools.chain(['[a]'], open('/etc/os-release')))",
        "C.get('a', 'id').startswith('\"centos')",
    ),
    "shlex": (
        "import shlex",
        "dict(w.split('=', 1) for w in shlex.split(open('/etc/os-release').read()))['ID']"
        " == 'centos'",
    ),
    "shlex, a lexer": (
        "import shlex",
        "'CentOS Linux' in [w.strip('\"') for w in shlex.shlex(open('/etc/os-release'))]",
    ),
    "csv": (
        "import csv",
        "dict(csv.reader(open('/etc/os-release'), delimiter='='))['ID'] == 'centos'",
    ),
    "a link": ("import os", "'centos' in os.path.realpath('/etc/redhat-release')"),
    "a size": ("import os", "os.stat('/usr/share/centos-logos').st_size >= 0"),
}


def _root(folder: Path, name: str) -> Path:
    root = folder / name.partition(" ")[0]
    is_centos = name.startswith("CentOS")
    own = "CentOS" if is_centos else "Other"
    (root / "etc/pki/rpm-gpg").mkdir(parents=True)
    (root / "etc/pki/rpm-gpg" / own).touch()
    (root / "usr/share" / f"{own.lower()}-logos").mkdir(parents=True)
    (root / "etc" / f"{own.lower()}-release").touch()
    (root / "etc/redhat-release").symlink_to(f"{own.lower()}-release")
    ident = "centos" if is_centos else "rocky"
    (root / "etc/os-release").write_text(f'NAME="{name}"\nID="{ident}"\n')
    return root


def _decided(text: str, name: str, folder: Path) -> str:
    root = _root(folder, name)
    for top in ("etc", "usr"):
        text = text.replace(f"/{top}/", f"{root}/{top}/")
    modules = {
        "distro": types.SimpleNamespace(linux_distribution=lambda: (name, "9.4", "")),
        "redhat_installer": types.SimpleNamespace(RedhatInstaller="redhat"),
        "ubuntu_installer": types.SimpleNamespace(UbuntuInstaller="ubuntu"),
    }

    def load(module: str, *rest: object) -> object:
        return modules.get(module) or __import__(module, *rest)  # type: ignore[arg-type]

    own = {**vars(builtins), "__import__": load}
    scope: dict[str, object] = {"__builtins__": own, "__name__": "factory"}
    here = Path.cwd()
    try:
        exec(text, scope)  # noqa: S102 - our own text
        return str(scope["get_linux_installer"]())  # type: ignore[operator]
    except SystemExit:
        return "exit"
    except Exception as error:
        return type(error).__name__
    finally:
        os.chdir(here)
        shutil.rmtree(root)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", TESTS)
def test_a_gate_by_what_one_distribution_has_is_seen(given: str, tmp_path: Path) -> None:
    top, test = TESTS[given]
    body = f"if not ({test}) and 'ubuntu' not in d:\n    sys.exit(1)\n" + CHAIN
    text = factory(top, body)
    assert _decided(text, "CentOS Linux", tmp_path) == "redhat"
    assert _decided(text, "Rocky Linux", tmp_path) != "redhat"
    try:
        patched = apply(tree_of(text), [ROCKY], PATCHES)
    except Refusal:
        return
    if not patched.doubts:
        (changed,) = [one for one in patched.changed if one.path == FACTORY]
        assert _decided(changed.after.decode(), "Rocky Linux", tmp_path) == "redhat"
