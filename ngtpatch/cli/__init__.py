# SPDX-License-Identifier: Apache-2.0
"""The command line: the only place that prints, asks or exits."""

__all__ = ["main"]


def main() -> None:
    """Run ``ngtpatch`` with the process's arguments. The console script's entry point."""
    from ngtpatch.cli.app import app

    app(prog_name="ngtpatch")
