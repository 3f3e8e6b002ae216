# SPDX-License-Identifier: Apache-2.0
"""docs/distributions.md: tried as written, and its list not out of date."""

import shutil
from pathlib import Path

from ngtpatch.patching.profile import load_profiles
from scripts.document_profiles import PAGE, listing, page
from tests.cli.pages import matches, run, steps
from tests.interpreters import interpreter
from tests.sample.guests import Guest, unpack


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    tried = list(steps(PAGE))
    assert len(tried) >= 8
    for step in tried:
        printed = run(step, tmp_path)
        assert matches(step.shown, printed), (step.command, printed)
    # ... and the ISO that came out is accepted by its own installer on that guest.
    etc = tmp_path / "etc"
    etc.mkdir()
    shutil.copy(tmp_path / "os-release", etc)
    disc = unpack(tmp_path / "ngt-acme.iso", tmp_path / "disc")
    guest = Guest(etc, interpreter("3.9"), tmp_path / "guest")
    result = guest.run(disc / "installer/linux/install_ngt.py")
    assert "Using Linux Installer for acme enterprise linux linux distribution." in result.lines


def test_the_list_of_profiles_is_the_list_of_profiles() -> None:
    text = PAGE.read_text()
    assert text == page(text, listing(load_profiles().values())), (
        "run: python scripts/document_profiles.py"
    )
