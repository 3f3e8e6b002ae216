# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch schema``."""

from __future__ import annotations

import json
from importlib import import_module

import click

from ngtpatch.cli import options
from ngtpatch.document import json_schema

# Document -> the module and the result type that it is made from.
DOCUMENTS = {
    "diff": ("ngtpatch.flow.diff", "Differences"),
    "extract": ("ngtpatch.cli.extract", "Extracted"),
    "identity-check": ("ngtpatch.fleet.audit", "Audit"),
    "identity-show": ("ngtpatch.identity.describe", "ShownAll"),
    "inject": ("ngtpatch.cli.inject", "InjectDocument"),
    "inject-plan": ("ngtpatch.cli.inject", "InjectPlan"),
    "inspect": ("ngtpatch.flow.inspect", "Inspection"),
    "ls": ("ngtpatch.cli.ls", "Listing"),
    "packer-hook": ("ngtpatch.packer", "HookResult"),
    "packer-prepare": ("ngtpatch.packer", "PrepareResult"),
    "packer-verify": ("ngtpatch.packer", "PackerVerification"),
    "patch": ("ngtpatch.patching.patch_file", "PatchFile"),
    "patch-list": ("ngtpatch.cli.patch", "PatchList"),
    "patch-show": ("ngtpatch.cli.patch", "PatchShown"),
    "patch-test": ("ngtpatch.cli.patch", "PatchTest"),
    "profile": ("ngtpatch.patching.profile_file", "ProfileFile"),
    "profile-list": ("ngtpatch.cli.profile", "ProfileList"),
    "profile-new": ("ngtpatch.cli.profile", "ProfileNew"),
    "profile-show": ("ngtpatch.cli.profile", "ProfileShown"),
    "profile-test": ("ngtpatch.flow.verdicts", "ProfileTrial"),
    "rebuild": ("ngtpatch.flow.rebuild", "RebuildResult"),
    "rebuild-each": ("ngtpatch.cli.rebuild", "RebuiltEach"),
    "record": ("ngtpatch.iso.read.record_text", "RecordText"),
    "render": ("ngtpatch.cli.render", "Rendering"),
    "reset": ("ngtpatch.flow.reset", "ResetResult"),
    "sample": ("ngtpatch.sample", "Sample"),
    "status": ("ngtpatch.status", "Status"),
    "support": ("ngtpatch.flow.verdicts", "Support"),
    "verify": ("ngtpatch.cli.verify", "Verified"),
}


@options.command()
@click.argument("name", type=click.Choice(sorted(DOCUMENTS)))
def command(name: str) -> None:
    """Print the JSON Schema of a document.

    NAME is the command that prints the document with --json, a file that it reads, or the
    record that it writes into an image.
    """
    module, result = DOCUMENTS[name]
    schema = json_schema(getattr(import_module(module), result))
    click.echo(json.dumps(schema, indent=2))
