# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch schema``."""

from __future__ import annotations

import json
from importlib import import_module
from inspect import cleandoc
from textwrap import fill

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.document import json_schema

# Document -> the module and the result type that it is made from.
DOCUMENTS = {
    "diff": ("ngtpatch.flow.diff", "Differences"),
    "error": ("ngtpatch.document", "ErrorDocument"),
    "extract": ("ngtpatch.flow.extract", "Extracted"),
    "identity-check": ("ngtpatch.fleet.audit", "Audit"),
    "identity-show": ("ngtpatch.fleet.shown", "ShownAll"),
    "inject": ("ngtpatch.fleet.inject_document", "InjectDocument"),
    "inject-plan": ("ngtpatch.fleet.inject_document", "InjectPlan"),
    "inject-whole": ("ngtpatch.fleet.whole", "Whole"),
    "inspect": ("ngtpatch.flow.inspect", "Inspection"),
    "ledger": ("ngtpatch.fleet.ledger_document", "LedgerRow"),
    "ls": ("ngtpatch.flow.entry_list", "Listing"),
    "packer-hook": ("ngtpatch.packer", "HookResult"),
    "packer-prepare": ("ngtpatch.packer", "PrepareResult"),
    "packer-verify": ("ngtpatch.packer", "PackerVerification"),
    "patch": ("ngtpatch.patching.patch_file", "PatchFile"),
    "patch-list": ("ngtpatch.patching.catalogue", "PatchList"),
    "patch-show": ("ngtpatch.patching.catalogue", "PatchShown"),
    "patch-test": ("ngtpatch.patching.examples", "PatchTest"),
    "profile": ("ngtpatch.patching.profile_file", "ProfileFile"),
    "profile-list": ("ngtpatch.patching.catalogue", "ProfileList"),
    "profile-new": ("ngtpatch.patching.new_profile", "ProfileNew"),
    "profile-show": ("ngtpatch.patching.catalogue", "ProfileShown"),
    "profile-test": ("ngtpatch.flow.verdicts", "ProfileTrial"),
    "push": ("ngtpatch.prism_central.push", "Pushed"),
    "push-fleet": ("ngtpatch.prism_central.push_fleet", "FleetPushed"),
    "rebuild": ("ngtpatch.flow.rebuild", "RebuildResult"),
    "rebuild-each": ("ngtpatch.flow.rebuild", "RebuiltEach"),
    "record": ("ngtpatch.iso.read.record_text", "RecordText"),
    "render": ("ngtpatch.render", "Rendering"),
    "report": ("ngtpatch.report", "ReportResult"),
    "reset": ("ngtpatch.flow.reset", "ResetResult"),
    "sample": ("ngtpatch.sample", "Sample"),
    "status": ("ngtpatch.status", "Status"),
    "support-report": ("ngtpatch.flow.unproven_report", "UnprovenReport"),
    "support": ("ngtpatch.flow.verdicts", "Support"),
    "verify": ("ngtpatch.provenance", "Verified"),
}


@options.command("ngtpatch schema rebuild")
@click.argument("name", metavar="NAME", type=options.OneOf(sorted(DOCUMENTS)))
@click.pass_obj
def command(console: Console, name: str) -> None:
    """Print the JSON Schema of a document.

    NAME is the command that prints the document with --json, a file that it reads, the
    record that it writes into an image, or a row of its ledger.
    """
    module, result = DOCUMENTS[name]
    schema = json_schema(getattr(import_module(module), result))
    console.file(f"{json.dumps(schema, indent=2)}\n")


# In lines of their own: click would break them at hyphens.
_NAMES = fill(f"NAME is one of: {', '.join(sorted(DOCUMENTS))}.", 56, break_on_hyphens=False)
command.help = f"{cleandoc(command.help or '')}\n\n\b\n{_NAMES}"
