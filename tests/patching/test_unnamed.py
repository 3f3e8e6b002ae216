# SPDX-License-Identifier: Apache-2.0
"""Names that are accepted without being named, by ``else`` or a negation: nothing is patched.

Each file is run for the new name and its kin, too; where anything else may decide, nothing is said.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.flow.support import support
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import apply
from ngtpatch.patching.patch import load_patches
from tests.fuzz.fuzz_shapes import tree_of
from tests.fuzz.fuzz_unseen import KNOWN, NEW, ROCKY
from tests.fuzz.unseen_variants import decided

PATCHES = load_patches()
RED = "from redhat_installer import RedhatInstaller as Picked"
DEB = "from ubuntu_installer import UbuntuInstaller as Picked"
UNINSTALLER = ROOT + "uninstall_ngt.py"

UNINSTALL_NEGATED = (
    "if not ('ubuntu' in d or 'debian' in d):\n    uninstall_ngt_daemon_redhat()\n"
    "elif 'ubuntu' in d:\n    uninstall_ngt_daemon_ubuntu()"
)


def factory(body: str, top: str = "") -> str:
    return (
        f"import sys\nimport distro\n{top}\ndef get_linux_installer():\n"
        f"    d = distro.linux_distribution()[0].lower()\n{indent(body, '    ')}\n"
        "    return Picked\n"
    )


def uninstaller(body: str) -> str:
    return (
        "import os\nimport distro\n"
        "def uninstall_ngt_daemon_redhat(): pass\ndef uninstall_ngt_daemon_ubuntu(): pass\n"
        "def remove():\n    if os.path.exists('/usr/local/nutanix'):\n        pass\n"
        "def decide():\n  try:\n    d = distro.linux_distribution()[0].lower()\n"
        f"{indent(body, '    ')}\n  except Exception:\n    pass\n"
        "if __name__ == '__main__':\n  decide()\n  remove()\n"
    )


def _disc(body: str, uninstalls: str, top: str = "") -> dict[str, bytes]:
    return tree_of(factory(body, top)) | {UNINSTALLER: uninstaller(uninstalls).encode()}


NEGATED = {
    "else": f"if 'ubuntu' in d or 'debian' in d:\n    {DEB}\nelse:\n    {RED}",
    "not": f"if not ('ubuntu' in d or 'debian' in d):\n    {RED}\nelse:\n    {DEB}",
    "not in": f"if d not in ('ubuntu', 'debian gnu/linux'):\n    {RED}\nelse:\n    {DEB}",
    "!=": f"if d != 'ubuntu':\n    {RED}\nelse:\n    {DEB}",
    "a first return": (
        "if d.startswith('ubuntu'):\n"
        f"    {DEB}\n    return Picked\n{RED}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", NEGATED)
def test_a_factory_that_accepts_all_but_others_needs_nothing(form: str) -> None:
    text = factory(NEGATED[form])
    code = compile(text, "factory", "exec")
    assert {decided(code, guest) for guest in NEW} == {"RedhatInstaller"}
    assert {decided(code, guest) for guest in KNOWN} == {"RedhatInstaller", "UbuntuInstaller"}
    result = apply(_disc(NEGATED[form], UNINSTALL_NEGATED), [ROCKY], PATCHES)
    assert result.changed == ()
    assert (FACTORY, "redhat") in {(one.path, one.branch) for one in result.already}


def test_an_uninstaller_that_accepts_all_but_others_needs_nothing() -> None:
    tree = _disc(NEGATED["else"], UNINSTALL_NEGATED)
    result = apply(tree, [ROCKY], PATCHES)
    assert result.changed == ()
    assert [(one.path, one.branch) for one in result.already] == [
        (FACTORY, "redhat"), (UNINSTALLER, "redhat"),
    ]  # fmt: skip


UNCERTAIN = {
    "a file of the guest": (
        f"if os.path.exists('/etc/debian_version'):\n    {DEB}\nelse:\n    {RED}"
    ),
    "a file besides": (
        f"if 'ubuntu' in d or os.path.exists('/etc/debian_version'):\n    {DEB}\nelse:\n    {RED}"
    ),
    "a file at its end": (
        f"if 'ubuntu' in d:\n    {DEB}\nelse:\n    {RED}\n"
        f"    if os.path.exists('/x'):\n        {DEB}"
    ),
    "the kin gets another": (
        f"if 'centos' in d or 'red hat' in d or 'oracle' in d or 'ubuntu' in d:\n    {DEB}\n"
        f"else:\n    {RED}"
    ),
    "it is turned away": f"if 'ubuntu' in d:\n    {DEB}\nelif 'rocky' in d:\n    sys.exit(1)\n"
    f"else:\n    {RED}",
}


@pytest.mark.parametrize("form", UNCERTAIN)
def test_where_anything_else_may_decide_it_is_not_said_to_be_accepted(form: str) -> None:
    with pytest.raises(Refusal):
        apply(_disc(UNCERTAIN[form], UNINSTALL_NEGATED, "import os\n"), [ROCKY], PATCHES)


def test_an_uninstaller_with_another_condition_is_refused() -> None:
    body = (
        "if os.path.exists('/opt/yum') and 'ubuntu' not in d:\n"
        "    uninstall_ngt_daemon_redhat()\nelse:\n    uninstall_ngt_daemon_ubuntu()"
    )
    tree = _disc(NEGATED["else"], body)
    with pytest.raises(Refusal):
        apply(tree, [ROCKY], PATCHES)


def test_support_says_that_it_is_recognised(tmp_path: Path) -> None:
    for path, data in _disc(NEGATED["not"], UNINSTALL_NEGATED).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    rows = support(tmp_path, distros=["rocky"]).distros
    assert {row.verdict for row in rows} == {"recognised"}
