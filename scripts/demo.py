# SPDX-License-Identifier: Apache-2.0
"""make demo: from an ISO that Rocky Linux cannot install from to one that it can.

Every command is run as it is shown, and its exit code and words are checked. The files
are left in .demo/, or in a new directory that is named.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from ngtpatch.flow.opened import open_source

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo" if len(sys.argv) == 1 else Path(sys.argv[1]).absolute()
PROGRAMS = {"ngtpatch": [sys.executable, "-m", "ngtpatch"], "python3": [sys.executable]}
INSTALLED = "root/usr/local/nutanix/ngt/config/ngt_config.json"


def main() -> None:
    """Tell the story; end with exit code 1 where it does not go as told."""
    os.umask(0o077)
    if len(sys.argv) == 1:
        shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()

    heading("1. An ISO as the cluster mounts it")
    say(
        "A sample of Nutanix Guest Tools 2.x, of our own making: it holds none of the vendor's "
        "code, and its installer decides and speaks as the vendor's is described to."
    )
    shell("ngtpatch sample --output ngt.iso")

    heading("2. Rocky Linux 9 cannot install from it")
    say(
        "A guest is here its own /etc and a directory for the rest of it. The installer is run "
        "for real, by this machine's Python."
    )
    mount("ngt.iso", "ngt")
    guest("rocky-9")
    install("ngt", "rocky-9", exits=1, says="Unsupported distribution : rocky linux")

    heading("3. Rebuild it for Rocky Linux and AlmaLinux")
    shell("ngtpatch rebuild ngt.iso --distro rocky --distro almalinux --output ngt-el.iso")

    heading("4. What was changed")
    shell("ngtpatch diff ngt.iso ngt-el.iso", says="rocky linux")

    heading("5. That nothing else was")
    shell("ngtpatch verify ngt-el.iso --base ngt.iso", says="verified")

    heading("6. Both install from it now, so does Red Hat, and Debian is refused")
    mount("ngt-el.iso", "ngt-el")
    install("ngt-el", "rocky-9", says="Using Linux Installer for rocky linux linux distribution.")
    for name, words in (
        ("almalinux-9", "Using Linux Installer for almalinux linux distribution."),
        ("rhel-9", "Using Linux Installer for red hat enterprise linux linux distribution."),
    ):
        guest(name)
        install("ngt-el", name, says=words)
    guest("debian-12")
    install("ngt-el", "debian-12", exits=1, says="Unsupported distribution : debian gnu/linux")

    say(f"The two ISOs and the guests are left in {DEMO}.")


def heading(text: str) -> None:
    """Print a heading, bold where that can be seen."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR")
    print(f"{text}\n" if plain else f"\033[1m{text}\033[0m\n", flush=True)


def say(text: str) -> None:
    """Print a paragraph."""
    print(textwrap.fill(text, 88), end="\n\n", flush=True)


def shell(line: str, *, exits: int = 0, says: str = "") -> None:
    """Show a command and run it as shown; end here where it does not do as told."""
    print(f"$ {line}", flush=True)
    words = shlex.split(line)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    while "=" in words[0]:
        name, value = words.pop(0).split("=", 1)
        environment[name] = value
    run = subprocess.run(
        PROGRAMS[words[0]] + words[1:],
        cwd=DEMO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(run.stdout.rstrip("\n"), flush=True)
    if run.returncode:
        print(f"[exit code {run.returncode}]", flush=True)
    print(flush=True)
    if run.returncode != exits:
        sys.exit(f"demo: expected exit code {exits}")
    if says not in run.stdout:
        sys.exit(f"demo: expected the words: {says}")


def mount(iso: str, directory: str) -> None:
    """Unpack an image, as a stand-in for a mount that only root could make."""
    print(f"# {iso} is mounted on {directory}/", flush=True)
    with open_source(DEMO / iso) as source:
        for path in source.tree:
            target = DEMO / directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.tree.open(path) as content, target.open("wb") as file:
                shutil.copyfileobj(content, file)


def guest(name: str) -> None:
    """Make a guest: its own /etc, and a directory that stands for the rest of it."""
    shutil.copytree(ROOT / "tests/distros" / name / "etc", DEMO / name / "etc")
    (DEMO / name / "root").mkdir()


def install(disc: str, name: str, *, exits: int = 0, says: str) -> None:
    """Run the installer on a guest, and see whether it installed."""
    shell(
        f"UNIXCONFDIR={name}/etc NGT_SAMPLE_ROOT={name}/root "
        f"python3 {disc}/installer/linux/install_ngt.py",
        exits=exits,
        says=says,
    )
    if (DEMO / name / INSTALLED).exists() != (exits == 0):
        sys.exit(f"demo: {name} should have {'installed' if exits == 0 else 'kept out'}")


if __name__ == "__main__":
    main()
