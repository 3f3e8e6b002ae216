# SPDX-License-Identifier: Apache-2.0
"""``profile new -n`` looks at what the real run looks at, and writes nothing."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from ngtpatch.cli.app import app


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def test_a_dry_new_profile_refuses_an_output_that_is_there(tmp_path: Path) -> None:
    release, output = tmp_path / "os-release", tmp_path / "acme.toml"
    release.write_text('NAME="Acme Linux"\nID=acme\nID_LIKE="rhel fedora"\n')
    words = ("profile", "new", "--os-release", release, "--python", "3.9", "-o", output)
    dry = run(*words, "-n")
    assert dry.exit_code == 0, dry.output
    assert "would be written" in dry.output
    assert not output.exists()
    assert run(*words).exit_code == 0
    written = output.read_bytes()
    assert run(*words, "-n").exit_code == run(*words).exit_code == 2
    assert run(*words, "-n", "-f").exit_code == 0
    assert output.read_bytes() == written
