# SPDX-License-Identifier: Apache-2.0
"""A disc on which something is not understood: refused by code, accepted by digest, remembered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ngtpatch import IdentityRequest, Refusal, rebuild, support
from ngtpatch.document import document
from ngtpatch.flow.inspect import inspect
from ngtpatch.flow.unproven_report import report_support
from ngtpatch.packer import HookRequest, prepare, run_hook, write_variables
from ngtpatch.packer import verify as verify_prepared
from ngtpatch.provenance import Product
from ngtpatch.provenance.statement import statement

FACTORY = "installer/linux/src/installer_factory.py"
CHECK = "  import unseen_helper\n  if unseen_helper.likes(distribution):\n    sys.exit(1)\n"


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sample with a check that nobody can follow before its chain."""
    from ngtpatch.sample import write_sample

    folder = tmp_path_factory.mktemp("unproven")
    image, tree = folder / "sample.iso", folder / "tree"
    write_sample(image, era=2)
    rebuild(image, output_tree=tree, identity=_port())
    factory = tree / FACTORY
    factory.write_text(factory.read_text().replace('  if ("centos"', CHECK + '  if ("centos"', 1))
    return tree


def _port() -> IdentityRequest:

    return IdentityRequest(sets={"port": "2074"})


def refused(disc: Path, **options: object) -> tuple[Refusal, str]:
    with pytest.raises(Refusal) as caught:
        rebuild(disc, distros=["rocky"], dry_run=True, **options)  # type: ignore[arg-type]
    found = re.search(r"--accept-unproven ([0-9a-f]{64})", caught.value.hint or "")
    assert found is not None
    return caught.value, found.group(1)


def test_support_says_uncertain_and_exits_otherwise(disc: Path) -> None:
    found = support(disc, distros=["rocky"])
    assert {row.verdict for row in found.distros} == {"uncertain"}
    assert not found.supported
    assert {one.path for row in found.distros for one in row.unproven} == {FACTORY}
    assert {row.runs for row in found.distros} == {None}
    assert {row.accept for row in found.distros} == {refused(disc)[1]}


def test_the_refusal_names_the_lines_and_only_their_digest_goes_on(disc: Path) -> None:
    error, digest = refused(disc)
    assert error.code == "uncertain"
    assert f"{FACTORY}:13" in error.message
    refused(disc, accept_unproven=["0" * 64])
    result = rebuild(disc, distros=["rocky"], dry_run=True, accept_unproven=[digest])
    assert {one.line for one in result.unproven} == {13}
    assert any(notice.startswith("uncertain, accepted") for notice in result.notices)


def test_work_that_patches_nothing_never_needs_it(disc: Path) -> None:
    assert rebuild(disc, dry_run=True, identity=_port()).unproven == ()


def test_record_and_provenance_keep_what_was_accepted(disc: Path, tmp_path: Path) -> None:
    _, digest = refused(disc)
    image = tmp_path / "rocky.iso"
    rebuild(disc, distros=["rocky"], output=image, accept_unproven=[digest])
    record = inspect(image).record
    assert record is not None
    kept = json.dumps(record, default=str)
    assert FACTORY in kept
    assert "unproven" in kept


def test_packer_takes_the_same_digest_three_times(disc: Path, tmp_path: Path) -> None:
    vendor = tmp_path / "vendor.iso"
    rebuild(disc, output=vendor, identity=_port())
    _, digest = refused(vendor)
    with pytest.raises(Refusal, match="not understood"):
        prepare(vendor, distros=["rocky"], output=tmp_path / "out")
    made = prepare(vendor, distros=["rocky"], output=tmp_path / "out", accept_unproven=[digest])
    assert {one.line for one in made.unproven} == {13}
    again = prepare(vendor, distros=["rocky"], output=tmp_path / "out", accept_unproven=[digest])
    assert (again.origin, again.unproven) == ("output", made.unproven)
    variables = tmp_path / "ngt.json"
    write_variables(made, variables)
    judged = verify_prepared(variables)
    assert not judged.ok
    assert digest in " ".join(judged.problems)
    accepted = verify_prepared(variables, accept_unproven=[digest])
    assert (accepted.ok, accepted.problems) == (True, ())
    assert accepted.notices[0].startswith("uncertain, accepted")
    hooked = run_hook(
        HookRequest.from_env(
            {
                "NGTPATCH_ISO": str(vendor),
                "NGTPATCH_DISTRO": "rocky",
                "NGTPATCH_OUTPUT": str(tmp_path / "hooked"),
                "NGTPATCH_ACCEPT_UNPROVEN": digest,
            }
        )
    )
    assert hooked.prepared.unproven == made.unproven
    pytest.importorskip("in_toto_attestation", reason="needs the extra 'provenance'")
    from datetime import datetime, timezone

    body = statement(hooked.prepared.subject, datetime.now(timezone.utc))
    stated = json.loads(body)["predicate"]["buildDefinition"]["externalParameters"]
    assert stated["acceptUnproven"] == digest
    assert isinstance(hooked.prepared.subject, Product)


def test_a_report_has_shapes_and_no_line_but_those_asked_for(disc: Path) -> None:
    found = support(disc, distros=["rocky"])
    report = report_support(disc, found)
    assert {one.line for one in report.unproven} == {13}
    assert all(one.text is None for one in (*report.unproven, *report.places))
    assert report.unproven[0].shape == "Call ( Attribute ( Name ) Name )"
    assert all(file.path.startswith("installer/linux/") for file in report.files)
    told = report_support(disc, found, lines_of=[FACTORY])
    assert "unseen_helper.likes" in str([one.text for one in told.unproven])


def test_a_report_of_a_refusal_has_no_line_of_its_message(disc: Path, tmp_path: Path) -> None:
    source = tmp_path / "installer/linux/src"
    source.mkdir(parents=True)
    text = (disc / FACTORY).read_text().replace(CHECK, "").replace(" or\n", " and\n")
    (source / "installer_factory.py").write_text(text)
    (source.parent / "install_ngt.py").write_text("pass\n")
    found = support(tmp_path, distros=["rocky"])
    assert {row.verdict for row in found.distros} == {"refused"}
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 20]
    said = " ".join(row.refused.message for row in found.distros if row.refused)
    assert any(line in said for line in lines)  # a person is shown them
    report = json.dumps(document(report_support(tmp_path, found)))
    assert [line for line in lines if json.dumps(line)[1:-1] in report] == []
