# SPDX-License-Identifier: Apache-2.0
"""A user's own program, strictly typed, checked and run against the installed wheel."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import ngtpatch
from ngtpatch import packer
from ngtpatch.sample import write_sample

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = '''\
"""Uses the public API as its page shows it, and nothing that is not in ``__all__``."""

import sys
from concurrent.futures import ThreadPoolExecutor

import ngtpatch
from ngtpatch import packer


def refusals(source: str) -> list[str]:
    table: ngtpatch.Support = ngtpatch.support(source)
    return [one.name for one in table.distros if one.verdict == "refused"]


def main(source: str, directory: str) -> None:
    request = ngtpatch.IdentityRequest(strip=True)
    built: ngtpatch.RebuildResult = ngtpatch.rebuild(
        source, distros=["rocky"], output=f"{directory}/out.iso", identity=request
    )
    edits: int = sum(entry.edits for entry in built.changed)
    checked: ngtpatch.Verification = ngtpatch.verify(f"{directory}/out.iso", base=source)
    differences: ngtpatch.Differences = ngtpatch.diff(source, f"{directory}/out.iso")
    inspection: ngtpatch.Inspection = ngtpatch.inspect(f"{directory}/out.iso")
    audit: ngtpatch.Audit = ngtpatch.check_identities(source, warn_days=1)
    codes: list[str] = [finding.code for finding in audit.findings]
    try:
        with ThreadPoolExecutor(1) as executor:
            summary: ngtpatch.InjectSummary = ngtpatch.inject(
                source, "no-such-inventory.csv", directory, executor=executor
            )
        raise AssertionError(summary.written)
    except ngtpatch.InputError as error:
        missing: str = error.code
    build = f"{directory}/build/"
    prepared: packer.PrepareResult = packer.prepare(source, distros=["rocky"], output=build)
    print(
        edits > 0, checked.ok, len(differences.changed) > 0, inspection.ngt.era, codes,
        missing, prepared.profile, refusals(source),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
'''

CALLED = [name for name in ngtpatch.__all__ if name != "__version__"]


def code_of(page: str) -> str:
    """Return what a page sets as code: blocks and spans, one after the other."""
    found = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", page, re.S)
    return "\n".join("".join(one) for one in found)


def test_the_page_names_every_public_name() -> None:
    code = code_of((ROOT / "docs/library.md").read_text())
    named = set(re.findall(r"(?<![\w.])(?:ngtpatch\.)?(\w+)", code))
    assert set(ngtpatch.__all__) - named == set()
    assert set(packer.__all__) - set(re.findall(r"\bpacker\.(\w+)", code)) == set()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/library.md", "docs/fleet.md", "docs/packer.md"]
)
def test_what_a_page_calls_is_public(page: str) -> None:
    text = (ROOT / page).read_text()
    programs = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    assert set(re.findall(r"\bngtpatch\.(\w+)", programs)) <= set(ngtpatch.__all__)
    assert not re.findall(r"(?:from|import) ngtpatch\.", programs)
    assert set(re.findall(r"\bpacker\.(\w+)\(", text)) <= set(packer.__all__)


@pytest.mark.parametrize("name", [*CALLED, *(f"packer.{one}" for one in packer.__all__)])
def test_a_public_name_says_what_it_is(name: str) -> None:
    *room, last = name.split(".")
    value: object = getattr(packer if room else ngtpatch, last)
    assert inspect.getdoc(value)
    # A dataclass without a docstring of its own has its signature for one.
    assert not str(value.__doc__).startswith(f"{last}(")


def test_a_typed_program_of_a_users_holds_against_the_wheel(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (wheel,) = (tmp_path / "dist").iterdir()
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv/lib").glob("python3*/site-packages")
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", site, wheel], check=True)
    # What ngtpatch needs is taken from here; ngtpatch itself stands before it.
    (site / "needs.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    python = tmp_path / "venv/bin/python"
    types = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    checked = subprocess.run(
        [*types, "--python-executable", python, program],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    write_sample(tmp_path / "nutanix-ngt.iso", era=2)
    ran = subprocess.run(
        [python, program, tmp_path / "nutanix-ngt.iso", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("True True True 2 ")
    where = subprocess.run(
        [python, "-c", "import ngtpatch; print(ngtpatch.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(site)
