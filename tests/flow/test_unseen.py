# SPDX-License-Identifier: Apache-2.0
"""What of an installer is not looked into is named, by rebuild and by support, in one wording."""

from __future__ import annotations

import bz2
import json
import lzma
from pathlib import Path

import pytest

import ngtpatch
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.flow.conftest import Pairs, run
from tests.flow.test_agents import AGENT, SOURCE, compiled, tarred, zipped

ROOT = "installer/linux/src/"
PICKS = SOURCE.encode()
SHELL = b'#!/bin/sh\n. /etc/os-release\ncase "$ID" in centos) echo yum ;; *) exit 1 ;; esac\n'
PROGRAM = b"#!/usr/bin/env python3\n" + PICKS


def with_files(base: Path, target: Path, agent: bytes, files: dict[str, bytes]) -> Path:
    with Volume.open(base) as volume:
        added = {ROOT + name: NewFile(data, mode=0o644) for name, data in files.items()}
        plan = edit(volume, replace={AGENT: MemorySource(agent)}, add=added)
        write_file(plan.overlay(), target)
    return target


MAKESELF = b"#!/bin/sh\n# unpacks itself\ntail -n +4 $0 | tar xz\nexit 0\n"


def test_what_is_packed_behind_a_script_in_an_archive_is_named(
    pairs: Pairs, tmp_path: Path
) -> None:
    inner = tarred({"./pick.py": PICKS})
    nested = tarred({"./deep.bin": MAKESELF + inner})
    agent = tarred(
        {
            "./bin/pick.py": PICKS,
            "./lib/agent.run": MAKESELF + inner,
            "./lib/setup.sh": MAKESELF + inner,
            "./lib/nested.tar.gz": nested,
            "./lib/notes.txt": b"#!/bin/sh\nexit 0\n",
            "./lib/data.bin": b"\0" * 99,
        }
    )
    base = with_files(pairs(2).base, tmp_path / "base.iso", agent, {})
    packed = "a script with something packed behind it"
    expected = (
        f"{AGENT}: not all of it was looked into: ./lib/agent.run is {packed}; ./lib/setup.sh is"
        f" {packed}; ./lib/nested.tar.gz holds ./deep.bin, {packed}"
    )
    found = ngtpatch.support(base, distros=["rocky"])
    assert expected in found.unseen
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    assert expected in result.notices
    assert f"{AGENT}!./bin/pick.py" in {one.path for one in result.changed}


def test_a_script_in_an_archive_that_is_too_large_to_be_read_is_named(
    pairs: Pairs, tmp_path: Path
) -> None:
    large = b"#" * 99 + b"\n"
    agent = tarred(
        {
            "./bin/pick.py": PICKS,
            "./bin/large.py": PICKS + large * 200_000,
            "./bin/program": PROGRAM + large * 200_000,
            "./bin/data": large * 200_000,
        }
    )
    base = with_files(pairs(2).base, tmp_path / "base.iso", agent, {})
    assert (
        f"{AGENT}: not all of it was looked into: ./bin/large.py is a script that is too large to"
        " be looked into; ./bin/program is a script that is too large to be looked into"
    ) in ngtpatch.support(base, distros=["rocky"]).unseen


def test_what_is_not_looked_into_is_named_by_rebuild_and_support_in_the_same_words(
    pairs: Pairs, tmp_path: Path
) -> None:
    inner = tarred({"./pick.py": PICKS})
    agent = tarred(
        {
            "./bin/pick.py": PICKS,
            "./bin/lone.pyc": compiled(tmp_path),
            "./bin/detect.sh": SHELL,
            "./bin/init": SHELL,
            "./bin/run": PROGRAM,
            "./bin/quiet": b"#!/bin/sh\nexit 0\n",
            "./lib/inner.tar.xz": lzma.compress(inner),
            "./lib/other.tbz2": bz2.compress(inner),
        }
    )
    files = {
        "agent.tar.xz": lzma.compress(inner),
        "agent.tar.bz2": bz2.compress(inner),
        "agent.egg": zipped({"pick.py": PICKS}),
        "agent.whl": zipped({"pick.py": PICKS}),
        "ngt.run": b"#!/bin/sh\ntail -n +3 $0 | tar xz\nexit\n" + inner,
    }
    base = with_files(pairs(2).base, tmp_path / "base.iso", agent, files)
    expected = {
        f"{ROOT}agent.egg: not looked into: it is a zip archive that is not named .zip",
        f"{ROOT}agent.tar.bz2: not looked into: it is compressed by bzip2",
        f"{ROOT}agent.tar.xz: not looked into: it is compressed by xz",
        f"{ROOT}agent.whl: not looked into: it is a zip archive that is not named .zip",
        f"{ROOT}ngt.run: not looked into: it is a script with something packed behind it",
        f"{AGENT}: not all of it was looked into: ./lib/inner.tar.xz is compressed by xz;"
        " ./lib/other.tbz2 is compressed by bzip2",
        f"{AGENT}: compiled without a source, and not looked into: ./bin/lone.pyc",
        f"{AGENT}: shell scripts and programs without .py are not patched; these name or ask for"
        " distributions: ./bin/detect.sh, ./bin/init, ./bin/run",
    }
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    found = ngtpatch.support(base, distros=["rocky"])
    assert set(found.unseen) == expected
    assert len(found.unseen) == len(expected)
    assert expected <= set(result.notices)
    # What was looked into all the same is patched.
    assert f"{AGENT}!./bin/pick.py" in {one.path for one in result.changed}
    printed = run("support", base, "-d", "rocky").out
    assert all(one in printed for one in expected)


def test_an_agent_outside_of_an_archive_is_named_by_both(pairs: Pairs, tmp_path: Path) -> None:
    puzzle = b"import distro\n\n\ndef tool():\n    return 'centos' in distro.name().lower()\n"
    files = {"agent_pick.py": PICKS, "agent_tool.py": puzzle}
    base = with_files(pairs(2).base, tmp_path / "base.iso", tarred({}), files)
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    said = [one for one in result.notices if one.startswith(f"{ROOT}agent_")]
    beside = "left as it is, beside the way of the installation"
    assert said == [
        f"{ROOT}agent_pick.py: {beside} (line 6 still decides unsupported, and no patch is for it)",
        f"{ROOT}agent_tool.py: {beside} (what line 5 decides is not understood)",
    ]
    printed = run("support", base, "-d", "rocky").out
    assert all(one in printed for one in said)


@pytest.mark.parametrize("name", ["rocky", "centos", "ubuntu"])
def test_an_agent_outside_of_an_archive_refuses_nothing_with_any_command(
    pairs: Pairs, tmp_path: Path, name: str
) -> None:
    """It lies beside the way: support says what rebuild does, and verify what it has made."""
    base = with_files(pairs(2).base, tmp_path / "base.iso", tarred({}), {"agent_pick.py": PICKS})
    output = tmp_path / "out.iso"
    made = run("rebuild", base, "-d", name, "-o", output)
    asked = run("support", base, "-d", name)
    seen = run("verify", output, "--base", base, "-d", name)
    assert (made.code, asked.code, seen.code) == (0, 0, 0), (asked.out, seen.out)
    again = run("support", output, "-d", name)
    assert again.code == 0
    after = run("--json", "support", output, "-d", name)
    verdicts = {one["verdict"] for one in json.loads(after.out)["distros"]}
    assert verdicts == {"recognised"}
    beside = f"{ROOT}agent_pick.py: left as it is, beside the way of the installation"
    assert beside in again.out
    assert "no patch is needed" not in again.out


def test_of_an_installer_that_was_read_in_full_nothing_is_said(pairs: Pairs) -> None:
    for era in (1, 2, 3):
        pair = pairs(era)
        assert ngtpatch.support(pair.base, distros=["rocky"]).unseen == ()
        assert not [one for one in pair.result.notices if "looked into" in one]


FACTORY = f"{ROOT}installer_factory.py"


def test_a_module_that_was_extended_is_no_place_that_is_not_understood(
    pairs: Pairs, tmp_path: Path
) -> None:
    factory = b"""import sys
import distro
from families import EL
def get_linux_installer():
    name = distro.linux_distribution()[0].lower()
    if any(one in name for one in EL):
        from redhat_installer import RedhatInstaller
        return RedhatInstaller
    sys.exit(1)
"""
    base, output = tmp_path / "base.iso", tmp_path / "out.iso"
    with Volume.open(pairs(2).base) as volume:
        families = NewFile(b"EL = ['centos', 'red hat']\n", mode=0o644)
        plan = edit(
            volume,
            replace={FACTORY: MemorySource(factory)},
            add={f"{ROOT}families.py": families},
        )
        write_file(plan.overlay(), base)
    asked = run("support", base, "-d", "rocky").out
    assert "src/families.py" in asked
    assert "may decide too" not in asked
    assert f"patched  {ROOT}families.py" in run("rebuild", base, "-d", "rocky", "-o", output).out
    asked = run("support", output, "-d", "rocky").out
    assert "may decide too" not in asked
    assert "recognised as it is: no patch is needed" in asked
