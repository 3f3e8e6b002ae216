# SPDX-License-Identifier: Apache-2.0
"""How the one new line is written: columns, comments, blank lines and brackets as beside it."""

from __future__ import annotations

import pytest

from ngtpatch.installer.python_source import parse
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from ngtpatch.patching.recognise import recognise

FACTORY = next(patch for patch in load_patches() if patch.id == "factory")
ROCKY = load_profiles()["rocky"]
IMPORTS = "import redhat_installer, ubuntu_installer, distro\n"
R, D = "redhat_installer.RedhatInstaller", "ubuntu_installer.UbuntuInstaller"
LOOP = """
def get():
    for token, cls in ROWS:
        if token in distro.name().lower():
            return cls
    raise SystemExit(1)

Installer = get()
"""
LOOK_UP = """
def get():
    cls = ROWS.get(distro.name().lower())
    if cls is None:
        raise SystemExit(1)
    return cls

Installer = get()
"""


def patched(text: str) -> list[str]:
    source = parse("factory.py", text.encode())
    outcome = recognise(source, FACTORY, (ROCKY,))
    return insert(source, outcome.insertions).decode().splitlines()


def added(text: str) -> tuple[str, str, str]:
    """Return the line that *text* is given, with the ones around it; all others are kept."""
    before, after = text.splitlines(), patched(text)
    assert len(after) == len(before) + 1
    at = next(at for at in range(len(before)) if before[at] != after[at])
    assert after[:at] + after[at + 1 :] == before
    return after[at - 1], after[at], after[at + 1]


@pytest.mark.parametrize(
    ("rows", "new"),
    [
        (
            [f"('red hat enterprise linux', {R})", f"('centos',                   {R})"],
            f"('rocky linux',              {R})",
        ),
        ([f"('ubuntu', {D})", f"('centos', {R})"], f"('rocky linux', {R})"),
        (
            [f"('red hat', {R}, 1)", f"('centos',  {R}, 2)"],
            f"('rocky linux', {R}, 2)",
        ),
    ],
)
def test_a_row_keeps_the_columns_of_its_neighbours_as_far_as_it_can(
    rows: list[str], new: str
) -> None:
    table = "ROWS = [\n" + "".join(f"    {row},\n" for row in [*rows, rows[0]]) + "]\n"
    loop = LOOP.replace("cls in", "cls, _ in") if ", 2)" in new else LOOP
    assert f"    {new}," in added(IMPORTS + table + loop)


@pytest.mark.parametrize(
    ("rows", "new"),
    [
        (
            [
                f"'oracle linux server':   {R}",
                f"'centos linux':          {R}",
                f"'ubuntu':                {D}",
            ],
            f"'rocky linux':           {R}",
        ),
        (
            [f"'centos linux'        : {R}", f"'oracle linux server' : {R}"],
            f"'rocky linux'         : {R}",
        ),
        ([f"'ubuntu': {D}", f"'centos linux': {R}", "'sles': None"], f"'rocky linux': {R}"),
    ],
)
def test_a_key_keeps_the_column_of_its_neighbours_values(rows: list[str], new: str) -> None:
    table = "ROWS = {\n" + "".join(f"    {row},\n" for row in rows) + "}\n"
    assert added(IMPORTS + table + LOOK_UP)[1] == f"    {new},"


@pytest.mark.parametrize(
    ("test", "new", "behind"),
    [
        (
            "'red hat' in d or 'centos' in d or\n    'oracle' in d or 'fedora' in d",
            "    'rocky linux' in d or",
            "    'oracle' in d or 'fedora' in d",
        ),
        (
            "'centos' in d or  # family   \n    'red hat' in d",
            "    'rocky linux' in d or",
            "    'red hat' in d",
        ),
        (
            "'centos' in d   # a\n    or 'red hat' in d  # b\n    or 'oracle' in d",
            "    or 'rocky linux' in d",
            "    or 'oracle' in d",
        ),
        (
            "'centos' in d or\n\n    'red hat' in d",
            "    'rocky linux' in d or",
            "    'red hat' in d",
        ),
        (
            "'centos' in d or \\\n    'red hat' in d",
            "    'rocky linux' in d or \\",
            "    'red hat' in d",
        ),
        (
            "('centos' in d) or (\n    'red hat' in d)",
            "    'rocky linux' in d) or (",
            "    'red hat' in d)",
        ),
        (
            "'red hat' in d or  # r\n    # c\n    'centos' in d",
            "    'rocky linux' in d or",
            "    # c",
        ),
    ],
)
def test_an_operand_stands_on_a_line_as_its_neighbours_do(test: str, new: str, behind: str) -> None:
    text = (
        f"import distro\nd = distro.name().lower()\nif any([({test})]):\n"
        "    from redhat_installer import RedhatInstaller as Installer\n"
        "else:\n    raise SystemExit(1)\n"
    )
    _, line, after = added(text)
    assert line == new  # no blank is left where a comment was
    assert after.startswith(behind)
