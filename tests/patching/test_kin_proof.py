# SPDX-License-Identifier: Apache-2.0
"""What decides beside a chain: a conflict, a doubt, or nothing; and what a person accepts."""

from __future__ import annotations

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.patching.apply import Patched, apply
from ngtpatch.patching.doubts import doubts_digest
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from tests.installer.texts import FACTORY, ROOT, tree

ROCKY = load_profiles()["rocky"]
PATCHES = load_patches()
PATH = ROOT + "src/installer_factory.py"


def patched(before: str = "", after: str = "", **others: str) -> Patched:
    """Return what becomes of a factory with code before and after its chain."""
    start = "  if ("
    end = '  print("Using Linux Installer'
    text = FACTORY.replace(start, before + start, 1).replace(end, after + end, 1)
    files = tree(text)
    files |= {f"{ROOT}src/{stem}.py": code.encode() for stem, code in others.items()}
    return apply(files, [ROCKY], PATCHES)


@pytest.mark.parametrize(
    "check",
    [
        "  assert 'rocky' not in distribution\n",
        "  kind = {12: 1, 6: 2}[len(distribution)]\n",
        "  while 'rocky' in distribution:\n    sys.exit(1)\n",
        "  import helper\n  helper.check(distribution)\n",
        "  if len(distribution) == 11:\n    sys.exit(1)\n",
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_what_ends_for_the_new_name_alone_is_refused(check: str, place: str) -> None:
    helper = "import sys\ndef check(n):\n  if 'rocky' in n:\n    sys.exit(1)\n"
    with pytest.raises(Refusal) as caught:
        patched(**{place: check}, helper=helper)
    assert caught.value.code in ("conflict", "shape")
    assert caught.value.hint


@pytest.mark.parametrize(
    "harmless",
    [
        "  tool = 'apt' if 'ubuntu' in distribution else 'yum'\n",
        "  if 'ubuntu' in distribution:\n    apt = 1\n  else:\n    apt = 0\n",
        "  kind = {'centos linux': 1}.get(distribution, 0)\n",
    ],
)
def test_what_treats_it_like_its_kin_stops_nothing(harmless: str) -> None:
    result = patched(before=harmless)
    assert [file.path for file in result.changed] == [PATH, ROOT + "uninstall_ngt.py"]
    assert result.doubts == ()


def test_what_is_not_understood_is_a_doubt_with_a_digest_of_its_file() -> None:
    result = patched(before="  import other\n  if other.likes(distribution):\n    sys.exit(1)\n")
    assert {(one.path, one.line) for one in result.doubts} == {(PATH, 9)}
    digest = doubts_digest(result.doubts)
    again = patched(before="  import other\n  if other.likes(distribution) :\n    sys.exit(1)\n")
    assert {(one.path, one.line) for one in again.doubts} == {(PATH, 9)}
    assert doubts_digest(again.doubts) != digest


@pytest.mark.parametrize(
    "gate",
    [
        "if not os.path.exists('/usr/share/centos'):\n  sys.exit(1)\n",
        "if not os.access('/etc/pki/rpm-gpg/RPM-GPG-KEY-redhat', os.R_OK):\n  sys.exit(1)\n",
        "if 'CentOS-Base.repo' not in os.listdir('/etc/yum.repos.d'):\n  sys.exit(1)\n",
        "import glob\nif not glob.glob('/etc/yum.repos.d/CentOS*'):\n  sys.exit(1)\n",
        "import pathlib\nif not pathlib.Path('/usr/share/centos').exists():\n  sys.exit(1)\n",
        "import subprocess\nif subprocess.call(['rpm', '-q', 'centos-logos']):\n  sys.exit(1)\n",
        "import subprocess\nsubprocess.check_call('rpm -q redhat-logos', shell=True)\n",
        "open('/etc/centos-release').read()\n",
        "try:\n  open('/etc/centos-release')\nexcept IOError:\n  sys.exit(1)\n",
        "try:\n  os.stat('/usr/share/redhat-logos')\nexcept OSError:\n  sys.exit(1)\n",
        "try:\n  try:\n    open('/etc/oracle-release')\n  finally:\n    os.getcwd()\n"
        "except IOError:\n  sys.exit(1)\n",
    ],
)
def test_what_one_distribution_alone_has_is_a_fact_about_it(gate: str) -> None:
    """A file, a package or a repository of the kin's: the new name's guests lack it."""
    result = patched(before="  import gate\n", gate="import os, sys\n" + gate)
    assert {one.path for one in result.doubts} == {ROOT + "src/gate.py"}


@pytest.mark.parametrize(
    "harmless",
    [
        "if not os.path.exists('/usr/local/nutanix'):\n  sys.exit(1)\n",
        "if os.path.exists('/usr/share/centos'):\n  print('an old one')\n",
        "open('/etc/redhat-release').read()\n",  # each Enterprise Linux has it
        "try:\n  open('/etc/centos-release')\nexcept IOError:\n  print('not there')\n",
        "open('/etc/fstab').read()\n",
    ],
)
def test_what_all_of_them_have_is_no_doubt(harmless: str) -> None:
    assert patched(before="  import gate\n", gate="import os, sys\n" + harmless).doubts == ()


def test_a_disc_that_accepts_the_name_has_no_doubts() -> None:
    other = "  import other\n  if other.likes(distribution):\n    sys.exit(1)\n"
    accepting = FACTORY.replace('"red hat" in', '"rocky linux" in')
    files = tree(accepting.replace("  if (", other + "  if (", 1), None)
    patches = [patch for patch in PATCHES if patch.id == "factory"]
    result = apply(files, [ROCKY], patches)
    assert (result.changed, result.doubts) == ((), ())


def test_a_file_beside_the_way_refuses_nothing_and_is_listed() -> None:
    tool = (
        "name = ask()\nif 'centos' in name:\n  import redhat_installer\n"
        "elif 'ubuntu' in name:\n  import ubuntu_installer\n"
    )
    result = patched(tool=tool)
    assert [one.path for one in result.left] == [ROOT + "src/tool.py"]
    with pytest.raises(Refusal, match="could not be followed"):
        patched(before="  import tool\n", tool=tool)


def test_a_shell_script_on_the_way_decides_too() -> None:
    script = (
        b"#!/bin/sh\n. /etc/os-release\ncase $ID in\n  centos|rhel|ol) ;;\n  *) exit 1 ;;\nesac\n"
    )
    files = tree() | {ROOT + "install_ngt.sh": script}
    with pytest.raises(Refusal, match="shell script ends"):
        apply(files, [ROCKY], PATCHES)
    files[ROOT + "install_ngt.sh"] = script.replace(b"*) exit", b"debian) exit")
    assert apply(files, [ROCKY], PATCHES).doubts == ()
    files[ROOT + "install_ngt.sh"] = b"#!/bin/sh\ngrep -q CentOS /etc/redhat-release || exit 1\n"
    (doubt,) = apply(files, [ROCKY], PATCHES).doubts
    assert (doubt.path, doubt.line, doubt.kind) == (ROOT + "install_ngt.sh", 2, "shell")


SCRIPT = "#!/bin/sh\n. /etc/os-release\n"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("case $ID in\n  centos|rocky) ;;\n  *) exit 1 ;;\nesac\n", None),
        ('case "$ID_LIKE" in *rhel*) ;; *) exit 1;; esac\n', None),
        ('if [ "$ID" = debian ]; then\n  exit 1\nfi\n', None),
        ("case $VERSION_ID in 8*|9*|10*) ;; *) exit 1;; esac\n", None),
        ('\nif [ "$ID" = rocky ]; then\n  exit 3\nfi\n', ("conflict", 4)),
        ('if [ "$ID" = rocky ]; then\n  exit 0\nfi\n', ("conflict", 3)),
        ('[ "$ID" = debian ] && exit 1\necho\n[ "$ID" = centos ] || exit 4\n', ("conflict", 5)),
        ('if [ "$ID" = rocky ] && [ -e /x ]; then exit 3; fi\n', ("shell", 3)),
        ("if grep -q Rocky /etc/os-release; then exit 1; fi\n", ("shell", 3)),
        ('L=" centos "\nif [ "${L#* $ID }" = "$L" ]; then exit 1; fi\n', ("shell", 4)),
        ('[ "$ID" = centos ] && yum -y install python3-distro\n', ("shell", 3)),
        ("case $ID in\n  centos) FAMILY=el ;;\n  *) FAMILY=other ;;\nesac\n", ("shell", 4)),
        (
            'if [ "$ID" = debian ]; then\n  :\nelif [ "$ID" = rocky ]; then\n  sh x.sh\nfi\n',
            ("shell", 3),
        ),
        ("if grep -q CentOS /etc/os-release; then\n  yum -y install tar\nfi\n", ("shell", 3)),
        ("case $ID in\n  centos|rocky) yum install tar ;;\n  *) apt install tar ;;\nesac\n", None),
        ("case $ID in\n  debian) apt install tar ;;\n  *) yum -y install tar ;;\nesac\n", None),
        ("case $ID in\n  centos) echo CentOS ;;\n  *) printf other ;;\nesac\n", None),
        ("if grep -q CentOS /etc/os-release; then\n  echo CentOS\nfi\n", None),
        ("if [ x; then centos\n fi fi ((\n'", ("unread", 1)),
        ("if [ x; then\n fi fi ((\n'", ("unread", 1)),
    ],
)
def test_a_shell_script_is_judged_by_what_it_does_to_the_new_name_and_its_kin(
    script: str, found: tuple[str, int] | None
) -> None:
    files = tree() | {ROOT + "install_ngt.sh": (SCRIPT + script).encode()}
    if found is None or found[0] != "conflict":
        doubts = apply(files, [ROCKY], PATCHES).doubts
        assert [(one.kind, one.line) for one in doubts] == ([] if found is None else [found])
        assert {one.path for one in doubts} <= {ROOT + "install_ngt.sh"}
        return
    with pytest.raises(Refusal) as caught:
        apply(files, [ROCKY], PATCHES)
    assert (caught.value.code, caught.value.path) == ("conflict", ROOT + "install_ngt.sh")
    assert f"at what line {found[1]} decides, and not for 'CentOS Linux'" in str(caught.value)


GATE = """\
check_os() {
    case "$ID" in centos|rhel|ubuntu) return 0 ;; esac
    return 1
}
"""
MAIN = '#!/bin/sh\nHERE=$(dirname "$0")\n. "$HERE/common.sh"\n{0}\n'
SOURCING = (
    'COMMON="$HERE/lib/common.sh"; . "$COMMON"',
    '. "$(dirname "$0")/lib/common.sh"',
    'for one in "$HERE"/lib/*.sh; do . "$one"; done',
    'for one in log common; do . "$HERE/lib/$one.sh"; done',
)
STARTING = (
    'sh "$HERE/bin/check.sh" || exit 9',
    'run() { "$@"; }; run sh "$HERE/bin/check.sh" || exit 9',
    'env LC_ALL=C sh "$HERE/bin/check.sh" || exit 9',
    'CHECK="$HERE/bin/check.sh"; sh "$CHECK" || exit 9',
    "python3 - <<END || { echo bad; exit 9; }\nimport distro, sys\n"
    'sys.exit(distro.id() != "centos")\nEND',
    '. "$HERE/names.conf"; case " $NAMES " in *" $ID "*) ;; *) exit 9 ;; esac',
)


@pytest.mark.parametrize("place", ["common.sh", "lib/common.sh"])
@pytest.mark.parametrize("middle", [False, True])
@pytest.mark.parametrize(
    ("line", "decides"), [("check_os || exit 3", True), ("check_os\necho", False)]
)
def test_a_function_that_is_read_from_another_file_decides(
    line: str, place: str, *, decides: bool, middle: bool
) -> None:
    """Also where the one that is read has it from a third."""
    files = tree() | {ROOT + "install_ngt.sh": MAIN.format(line).encode()}
    gate = "#!/bin/sh\n. /etc/os-release\n" + GATE
    files[ROOT + place] = b"#!/bin/sh\n. ./os.inc\n" if middle else gate.encode()
    if middle:
        files[ROOT + "os.inc"] = gate.encode()
    doubts = {(one.path, one.line, one.kind) for one in apply(files, [ROCKY], PATCHES).doubts}
    assert ((ROOT + "install_ngt.sh", 4, "shell") in doubts) is decides


@pytest.mark.parametrize("how", SOURCING)
def test_however_a_file_is_sourced(how: str) -> None:
    files = tree() | {
        ROOT + "install_ngt.sh": f"#!/bin/sh\nHERE=.\n{how}\ncheck_os || exit 3\n".encode(),
        ROOT + "lib/common.sh": (". /etc/os-release\n" + GATE).encode(),
    }
    doubts = {(one.path, one.line, one.kind) for one in apply(files, [ROCKY], PATCHES).doubts}
    assert (ROOT + "install_ngt.sh", 4, "shell") in doubts


@pytest.mark.parametrize("how", STARTING)
def test_however_another_script_is_asked(how: str) -> None:
    files = tree() | {
        ROOT + "install_ngt.sh": f"#!/bin/sh\nHERE=.\n. /etc/os-release\n{how}\n".encode(),
        ROOT + "bin/check.sh": b". /etc/os-release\ncase $ID in centos) exit 0 ;; esac\nexit 1\n",
        ROOT + "names.conf": b'NAMES="centos ubuntu"\n',
    }
    assert "shell" in {one.kind for one in apply(files, [ROCKY], PATCHES).doubts}


@pytest.mark.parametrize("started", ['python3 "$HERE/lib/asks.py"', "python3 -m checks.os"])
def test_a_program_that_a_shell_script_starts_anywhere_is_executed(started: str) -> None:
    program = b"import distro, sys\nif distro.id() not in ('centos', 'ubuntu'):\n    sys.exit(1)\n"
    files = tree() | {
        ROOT + "install_ngt.sh": f"#!/bin/sh\nHERE=.\n{started} || exit 9\n".encode(),
        ROOT + "lib/asks.py": program,
        ROOT + "checks/os.py": program,
    }
    patched = apply(files, [ROCKY], PATCHES)
    place = ROOT + ("lib/asks.py" if "asks" in started else "checks/os.py")
    assert place in {one.path for one in patched.changed}


def test_a_part_that_cannot_be_read_is_named_and_the_script_is_still_read() -> None:
    files = tree() | {
        ROOT + "install_ngt.sh": MAIN.format("[ $ID = rocky ] && exit 1").encode(),
        ROOT + "common.sh": b". /etc/os-release\nif [ x; then\n fi fi ((\n'",
    }
    doubts = {(one.path, one.kind) for one in apply(files, [ROCKY], PATCHES).doubts}
    assert (ROOT + "common.sh", "unread") in doubts
    assert (ROOT + "install_ngt.sh", "shell") in doubts


def test_a_script_that_cannot_be_read_and_names_nothing_is_no_doubt() -> None:
    files = tree() | {ROOT + "install_ngt.sh": b"#!/bin/sh\nif [ x; then\n fi fi ((\n'"}
    assert apply(files, [ROCKY], PATCHES).doubts == ()


STRANGE = FACTORY.replace(
    '"centos" in distribution or\n      "oracle linux server" in distribution or\n'
    '      "red hat" in distribution',
    '"xenserver" in distribution or "ahv" in distribution',
)
ALONE = [patch for patch in PATCHES if patch.id == "factory"]


@pytest.mark.parametrize(
    ("script", "doubts"),
    [
        ('[ "$ID" = rocky ] && exit 1\n', [("shell", 3)]),
        ('[ "$ID" = debian ] && exit 1\n', []),
    ],
)
def test_what_a_script_does_to_the_name_alone_counts_where_no_kin_is_accepted(
    script: str, doubts: list[tuple[str, int]]
) -> None:
    files = tree(STRANGE, None) | {ROOT + "install_ngt.sh": (SCRIPT + script).encode()}
    found = apply(files, [ROCKY], ALONE).doubts
    assert [(one.kind, one.line) for one in found] == doubts


def test_an_end_of_some_counts_where_no_kin_is_accepted() -> None:
    end = '  print("Using Linux Installer'
    text = STRANGE.replace(end, "  assert 'rocky' not in distribution\n" + end, 1)
    with pytest.raises(Refusal, match=r"would still end at line 18 \(AssertionError\)") as caught:
        apply(tree(text, None), [ROCKY], ALONE)
    assert caught.value.code == "conflict"
    assert "does not for" not in str(caught.value)


def test_kin_is_accepted_by_its_id_where_that_is_compared() -> None:
    text = FACTORY.replace("distro.linux_distribution()[0].lower()", "distro.id()")
    text = text.replace('"red hat"', '"rhel"').replace("oracle linux server", "oracle")
    end = '  print("Using Linux Installer'
    text = text.replace(end, "  assert distribution != 'rocky'\n" + end, 1)
    with pytest.raises(Refusal, match=r"would still end .*, and does not for 'CentOS Linux'"):
        apply(tree(text, None), [ROCKY], ALONE)


@pytest.mark.parametrize(
    ("defined", "gives"),
    [
        ("class RedhatInstaller(object):\n  pass\n", "return LinuxInstaller"),
        ("class RedhatInstaller(object):\n  pass\n", "return LinuxInstaller()"),
        ("def RedhatInstaller():\n  return 1\n", "return LinuxInstaller"),
    ],
)
def test_who_does_not_get_what_its_kin_gets_from_the_disc_is_refused(
    defined: str, gives: str
) -> None:
    nothing = "  if dict(rocky=1).get(distribution.split()[0]):\n    return None\n"
    end = '  print("Using Linux Installer'
    text = FACTORY.replace(end, nothing + end, 1).replace("return LinuxInstaller()", gives)
    files = tree(text) | {ROOT + "src/redhat_installer.py": defined.encode()}
    with pytest.raises(Refusal, match="would still not get from get_linux_installer") as caught:
        apply(files, [ROCKY], PATCHES)
    assert caught.value.code == "conflict"


def test_a_chain_that_compares_something_else_is_told_from_one_that_is_not_come_to() -> None:
    with pytest.raises(Refusal, match=r"at line 9 accepts .* when it is executed") as seems:
        patched(before="  vars()['distribution'] = 'xen'\n")
    with pytest.raises(Refusal, match=r"still end at line 8 .*AssertionError") as ends:
        patched(before="  assert 'rocky' not in distribution\n")
    left = "  if dict(rocky=1).get(distribution.split()[0]):\n    return None\n"
    with pytest.raises(Refusal, match="does not come to the chain at line 10") as comes:
        patched(before=left)
    for caught in (seems, ends, comes):
        assert (caught.value.code, caught.value.path) == ("conflict", PATH)


def test_a_line_between_two_changes_is_that_of_the_shipped_file() -> None:
    text = FACTORY.replace("import distro\n", "import platform\n")
    text = text.replace("distro.linux", "platform.linux")
    start = '  if ("centos"'
    text = text.replace(start, "  # so\n  assert 'rocky' not in distribution\n" + start, 1)
    with pytest.raises(Refusal, match=r"at line 9 \(AssertionError\)"):
        apply(tree(text), [ROCKY], PATCHES)


def test_an_end_of_one_release_is_a_doubt_and_a_floor_is_none() -> None:
    release = "  if distro.version().startswith('8'):\n    sys.exit(1)\n"
    (doubt,) = patched(after=release).doubts
    assert (doubt.line, doubt.kind) == (21, "release")
    floor = (
        "  from distutils.version import LooseVersion\n"
        "  if LooseVersion(distro.linux_distribution()[1]) < LooseVersion('9'):\n    sys.exit(1)\n"
    )
    assert patched(after=floor).doubts == ()


def test_a_compiled_module_without_a_source_is_not_understood() -> None:
    files = tree(FACTORY.replace("  if (", "  import hidden\n  if (", 1))
    files[ROOT + "src/hidden.pyc"] = b"\x00linux_distribution\x00"
    assert [one.kind for one in apply(files, [ROCKY], PATCHES).doubts] == ["unread"]


def test_another_result_is_a_doubt_where_what_its_kin_gets_is_not_on_the_disc() -> None:
    nothing = "  if dict(rocky=1).get(distribution.split()[0]):\n    return None\n"
    result, test = patched(after=nothing).doubts
    assert (result.path, result.line, result.kind) == (PATH, 6, "result")
    # And so is the test that tells them apart.
    assert (test.path, test.kind) == (PATH, "way")
    with pytest.raises(Refusal, match="would still not get from get_linux_installer"):
        patched(after=nothing, redhat_installer="class RedhatInstaller(object):\n  pass\n")


@pytest.mark.parametrize(
    ("after", "end"),
    [
        ("  assert 'rocky' not in distribution\n", "at line 20 (AssertionError)"),
        (
            "  bad = 'rocky' in distribution\n  if bad:\n    sys.exit(1)\n",
            "at line 22 (SystemExit, decided at line 21)",
        ),
        (
            "  import helper\n  if helper.bad(distribution):\n    sys.exit(1)\n",
            "at line 22 (SystemExit, decided at line 21)",
        ),
    ],
)
def test_lines_are_those_of_the_shipped_file(after: str, end: str) -> None:
    with pytest.raises(Refusal) as caught:
        patched(after=after, helper="def bad(name):\n  return 'rocky' in name\n")
    assert f"would still end {end}, and does not for 'CentOS Linux'" in str(caught.value)


def test_each_doubt_is_told_with_its_line_as_shipped_and_its_kind() -> None:
    ask = "  import one, two\n  if one.likes(distribution):\n    sys.exit(1)\n"
    again = "  if two.likes(distribution):\n    sys.exit(2)\n"
    doubts = patched(after=ask + again).doubts
    assert [(one.line, one.kind) for one in doubts] == [
        (21, "call"), (21, "condition"), (23, "call"), (23, "condition"),
    ]  # fmt: skip
