# SPDX-License-Identifier: Apache-2.0
"""The pipelines' own script lines, run in bash on a sample; and ngtpatch as one file."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ngtpatch.sample import write_sample
from tests import program
from tests.provenance.test_provenance import write_keys
from tests.render.tools import python_tool
from tests.requirements import tool
from tests.status.test_status import DB, WEB, record

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"


class Runner:
    """Plays a pipeline's machine: a directory, ngtpatch on PATH, variables."""

    def __init__(self, home: Path) -> None:
        self.home = home
        secret, public = write_keys(home, "pipeline")
        write_sample(home / "vendor.iso", era=2)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")},
            **program.put_on_path(home / "bin"),
            "PATH": f"{home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "NGT_ISO_URL": (home / "vendor.iso").as_uri(),
            "RUNNER_TEMP": str(home),
            "GITHUB_OUTPUT": str(home / "github-output"),
            "CI_PROJECT_DIR": str(home),
        }
        self.secret, self.public = secret, public

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.home,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, script: str, **variables: str) -> str:
        run = self.run(script, **variables)
        assert run.returncode == 0, script + run.stdout + run.stderr
        return run.stdout


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def load(name: str) -> dict[Any, Any]:
    document = yaml.safe_load((EXAMPLES / "pipelines" / name).read_text())
    assert isinstance(document, dict)
    return document


def test_the_gitlab_pipeline_builds_signs_and_verifies(runner: Runner) -> None:
    pipeline = load("gitlab-ci.yml")
    variables = {
        name: os.path.expandvars(str(value)).replace("$CI_PROJECT_DIR", str(runner.home))
        for name, value in pipeline["variables"].items()
    }
    keys = {"NGT_SIGN_KEY": str(runner.secret), "NGT_VERIFY_KEY": str(runner.public)}
    for job in ("support", "build"):
        for line in pipeline[job]["script"]:
            runner.succeed(line, **variables, **keys)
    name, _, iso = (runner.home / "build.env").read_text().strip().partition("=")
    assert (name, Path(iso).is_file()) == ("ISO", True)
    for line in pipeline["verify"]["script"]:
        runner.succeed(line, **variables, **keys, ISO=iso)
    for path in pipeline["build"]["artifacts"]["paths"]:
        assert (runner.home / path).exists()

    with Path(iso).open("r+b") as image:
        image.seek(50_000)
        image.write(b"tampered")
    codes = [
        runner.run(line, **variables, **keys, ISO=iso).returncode
        for line in pipeline["verify"]["script"]
    ]
    assert codes == [5, 5]


def test_the_gitlab_pipeline_watches_the_state_of_vms(runner: Runner) -> None:
    text = record(WEB, "web") + "\n" + record(DB, "db", link="false")
    (runner.home / "ncli-ngt-list.txt").write_text(text)
    (runner.home / "vms.csv").write_text(f"name,vm_uuid\nweb,{WEB}\ndb,{DB}\n")
    job = load("gitlab-ci.yml")["status"]
    [line] = job["script"]
    assert runner.run(line).returncode in job["allow_failure"]["exit_codes"]
    assert json.loads((runner.home / "status.json").read_text())["ok"] is False


def steps(distro: str, runner: Runner) -> dict[str, str]:
    """The GitHub workflow's named scripts, with its expressions filled in."""
    job = load("github-actions.yml")["jobs"]["iso"]
    assert distro in job["strategy"]["matrix"]["distro"]
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


def variables(distro: str, runner: Runner) -> dict[str, str]:
    """What the workflow's env blocks make of its expressions."""
    found = {"DISTRO": distro}
    if (runner.home / "github-output").exists():
        output = (runner.home / "github-output").read_text()
        found["ISO"] = dict(line.split("=", 1) for line in output.splitlines())["iso"]
    return found


@pytest.mark.parametrize("distro", ["rocky", "almalinux"])
def test_the_github_workflow_builds_signs_and_verifies(runner: Runner, distro: str) -> None:
    tool("curl", "curl")
    keys = {
        "NGT_SIGN_KEY": runner.secret.read_text().strip(),
        "NGT_VERIFY_KEY": runner.public.read_text().strip(),
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    for name in ("Fetch the vendor's ISO", "Ask whether it can be supported", "Build and sign"):
        runner.succeed(steps(distro, runner)[name], **keys, **variables(distro, runner))
    assert not (runner.home / "sign.key").exists()
    runner.succeed(steps(distro, runner)["Verify"], **keys, **variables(distro, runner))


def test_the_github_workflow_leaves_no_key_where_the_build_fails(runner: Runner) -> None:
    (runner.home / "bin/ngtpatch").write_text("#!/bin/sh\nexit 3\n")
    key = runner.secret.read_text().strip()
    failed = runner.run(steps("rocky", runner)["Build and sign"], NGT_SIGN_KEY=key, DISTRO="rocky")
    assert failed.returncode == 3
    assert not (runner.home / "sign.key").exists()


def test_the_github_workflow_tells_a_refusal_from_a_failure(runner: Runner) -> None:
    script = steps("rocky", runner)["Ask whether it can be supported"]
    (runner.home / "bin/ngtpatch").write_text("#!/bin/sh\nexit 4\n")
    refused = runner.run(script, DISTRO="rocky")
    assert (refused.returncode, "::error::no patch fits" in refused.stdout) == (1, True)
    (runner.home / "bin/ngtpatch").write_text("#!/bin/sh\nexit 3\n")
    assert runner.run(script, DISTRO="rocky").returncode == 3


def test_the_github_workflow_has_no_more_rights_than_it_needs() -> None:
    text = (EXAMPLES / "pipelines/github-actions.yml").read_text()
    workflow = load("github-actions.yml")
    assert workflow["permissions"] == {"contents": "read"}
    for step in workflow["jobs"]["iso"]["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
            if "checkout" in step["uses"]:
                assert step["with"]["persist-credentials"] is False
        # What an expression stands for would become part of the script.
        assert "${{" not in step.get("run", "")
    assert "pull_request_target" not in text


def test_no_page_tells_anybody_to_install_an_unregistered_name_from_a_public_index() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.rglob("docs/*.md"), *EXAMPLES.rglob("*")]
    pages += [
        path for path in (ROOT / "ngtpatch").rglob("*") if path.suffix in (".py", ".j2", ".sh")
    ]
    for page in pages:
        if page.is_file():
            for line in page.read_text(errors="replace").splitlines():
                if re.search(r"pip3? install\b[^#]*\bngtpatch", line):
                    assert "--no-index" in line, (page, line)


def test_the_container_installs_what_the_project_is_called() -> None:
    # No container engine is asked of the machine that tests: the file is read, not built.
    text = (EXAMPLES / "Containerfile").read_text()
    assert "pip wheel" in text
    assert 'ENTRYPOINT ["ngtpatch"]' in text
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)


def test_ngtpatch_as_one_file_works_outside_the_tree(tmp_path: Path) -> None:
    shiv = python_tool("shiv", "shiv")
    one_file = tmp_path / "ngtpatch.pyz"
    # As make zipapp does.
    built = subprocess.run(
        [shiv, "-q", "-c", "ngtpatch", "-p", "/usr/bin/env python3", "--reproducible",
         "-o", one_file, str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    assert one_file.stat().st_mode & stat.S_IXUSR
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV") and not name.startswith("NGTPATCH_")
    }
    environment["SHIV_ROOT"] = str(tmp_path / "unpacked")

    def run(*arguments: str) -> str:
        return subprocess.run(
            # -I: neither this directory nor the user's site-packages help out.
            [sys.executable, "-I", one_file, *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    assert run("--version").startswith("ngtpatch ")
    run("sample", "-o", "ngt.iso")
    # Needs pycdlib, libcst's compiled part, the shipped profiles and patches, the templates.
    assert "rocky" in run("rebuild", "ngt.iso", "--distro", "rocky", "-o", "out.iso", "--json")
    assert "verified" in run("verify", "out.iso", "--base", "ngt.iso")
    assert run("render", "guest-install.sh").startswith("#!/bin/bash\n")
