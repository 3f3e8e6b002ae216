# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ngtpatch.cli import options
from ngtpatch.cli.output import Console

SHELLS = ("bash", "zsh", "fish")


@options.command('eval "$(ngtpatch completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and their values in a shell.

    \b
      ~/.bashrc                   eval "$(ngtpatch completion bash)"   (bash 4.4)
      ~/.zshrc, after compinit    eval "$(ngtpatch completion zsh)"
      ~/.config/fish/config.fish  ngtpatch completion fish | source
    """
    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - click knows the shells that the argument allows
    root = ctx.find_root().command
    # Not source(): that asks the bash on PATH for its version, and the script is perhaps for
    # another machine's.
    made = script(root, {}, "ngtpatch", "_NGTPATCH_COMPLETE")
    ctx.ensure_object(Console).file(made.source_template % made.source_vars())
