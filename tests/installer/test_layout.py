# SPDX-License-Identifier: Apache-2.0
import pytest

from ngtpatch.errors import InputError
from ngtpatch.installer.layout import survey
from tests.installer.texts import ROOT, tree


@pytest.mark.parametrize(
    ("extra", "era", "first"),
    [
        ((), 1, "install_ngt.py"),
        (("setup_python.sh",), 2, "setup_python.sh"),
        (("install_ngt.sh",), 3, "install_ngt.sh"),
        (("install_ngt.sh", "setup_python.sh"), 3, "install_ngt.sh"),
    ],
)
def test_the_era_follows_from_what_is_started(extra: tuple[str, ...], era: int, first: str) -> None:
    found = survey(tree() | {ROOT + name: b"#!/bin/sh\n" for name in extra})
    assert (found.era, found.entry_points[0]) == (era, ROOT + first)
    assert found.version == "2.0.1"
    assert found.factory == ROOT + "src/installer_factory.py"
    assert found.uninstallers == (ROOT + "uninstall_ngt.py",)


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b'{"ngt_version": 2}', b"\xff", b"[" * 9999])
def test_a_damaged_configuration_only_costs_the_version(config: bytes) -> None:
    assert survey(tree() | {"config/ngt_config.json": config}).version is None


def test_a_disc_without_an_installer_is_said_to_be_one() -> None:
    with pytest.raises(InputError) as caught:
        survey({"setup.exe": b"MZ"})
    assert caught.value.code == "no-installer"


def test_a_config_only_disc_is_told_apart() -> None:
    with pytest.raises(InputError, match="config-only") as caught:
        survey({"config/ngt_config.json": b"{}"})
    assert caught.value.code == "no-installer"
