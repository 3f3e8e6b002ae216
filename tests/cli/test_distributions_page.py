# SPDX-License-Identifier: Apache-2.0
"""docs/distributions.md: tried as written, and its list not out of date."""

import shutil
from pathlib import Path

from ngtpatch.patching.profile import load_profiles
from scripts.document_profiles import PAGE, listing, page
from tests.cli.pages import walk
from tests.interpreters import interpreter
from tests.sample.guests import Guest, unpack


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    walk(PAGE, here)
    # ... and the ISO that came out is accepted by its own installer on that guest.
    etc = tmp_path / "etc"
    etc.mkdir()
    shutil.copy(here / "os-release", etc)
    disc = unpack(here / "ngt-acme.iso", tmp_path / "disc")
    guest = Guest(etc, interpreter("3.9"), tmp_path / "guest")
    result = guest.run(disc / "installer/linux/install_ngt.py")
    assert "Using Linux Installer for acme enterprise linux linux distribution." in result.lines


def test_the_list_of_profiles_is_the_list_of_profiles() -> None:
    text = PAGE.read_text()
    assert text == page(text, listing(load_profiles().values())), (
        "run: python scripts/document_profiles.py"
    )
