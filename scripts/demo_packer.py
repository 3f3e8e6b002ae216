# SPDX-License-Identifier: Apache-2.0
"""make demo-packer: NGT in two Packer builds that run here, with the digests of what they made.

Every command is run as it is shown. The files are left in .demo/packer/, or in a new
directory that is named.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ngtpatch.flow.opened import open_source

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "packer"
DEMO = ROOT / ".demo" / "packer" if len(sys.argv) == 1 else Path(sys.argv[1]).absolute()
NGTPATCH = f"{sys.executable} -m ngtpatch"
PROGRAMS = {"ngtpatch": NGTPATCH.split(), "python3": [sys.executable]}
# Program -> Debian's package.
NEEDED = {
    "packer": "packer",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "bsdtar": "libarchive-tools",
    "dmidecode": "dmidecode",
}
AS_ROOT = "unshare --map-root-user env PATH=/usr/sbin:/sbin:/usr/bin:/bin"
ENVIRONMENT = {
    **os.environ,
    "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
    # Packer asks for newer versions of itself otherwise.
    "CHECKPOINT_DISABLE": "1",
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
}


def main() -> None:
    """Run both builds; end with exit code 1 where one does not go as told."""
    os.umask(0o077)
    require_programs()
    if len(sys.argv) == 1:
        shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir(parents=True)
    for example in ("golden", "end-to-end"):
        shutil.copytree(EXAMPLES / example, DEMO / example)
    golden, whole = DEMO / "golden", DEMO / "end-to-end"

    heading("1. A sample ISO, as a cluster mounts it for one VM")
    shell(DEMO, "ngtpatch sample --output ngt.iso")
    identity(DEMO / "ngt.iso", DEMO / "identity")

    heading("2. ISOs for three distributions, in parallel, by the library")
    python = shlex.quote(f"python={sys.executable}")
    shell(golden, "packer validate -var iso=../ngt.iso .")
    shell(golden, f"packer build -color=false -var iso=../ngt.iso -var {python} .")

    heading("3. From the ISO to a captured guest: Rocky Linux 9, played by an sshd on loopback")
    shell(whole, "ngtpatch packer prepare ../ngt.iso --distro rocky --output build --provenance")
    shell(whole, "ngtpatch packer verify --base ../ngt.iso")
    variables = {
        "guest_etc": ROOT / "tests" / "distros" / "rocky-9" / "etc",
        "guest_identity": "../identity",
        "ngtpatch": NGTPATCH,
        # NGT is installed by root; without being it, a user namespace has one of its own.
        "as_root": "" if os.geteuid() == 0 else AS_ROOT,
    }
    options = shlex.join(f"-var={name}={value}" for name, value in variables.items())
    shell(whole, f"python3 guest.py packer build -color=false {options} .")

    heading("4. The manifests, with digests")
    for build in (golden, whole):
        show(build / "build")

    heading("5. No byte of the VM's key is in anything that was made")
    search([golden / "build", whole / "build"])


def require_programs() -> None:
    """Install what is missing where that is allowed, else say how to."""
    missing = [
        package
        for program, package in NEEDED.items()
        if shutil.which(program, path=ENVIRONMENT["PATH"]) is None
    ]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(
            f"The builds need programs that are not here. Install them:\n  {shlex.join(install)}"
        )
    say(f"Installing {', '.join(missing)} ...")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    subprocess.run(install, check=True, env=quiet, stdout=subprocess.DEVNULL)


def identity(iso: Path, directory: Path) -> None:
    """Lay out the identity that the cluster gave the VM."""
    directory.mkdir()
    with open_source(iso) as source:
        for path in source.tree:
            if path.startswith("config/"):
                (directory / Path(path).name).write_bytes(source.tree[path])


def shell(directory: Path, line: str) -> None:
    """Show a command and run it; stop where it fails."""
    say(f"\n$ {line}")
    words = shlex.split(line)
    command = [*PROGRAMS.get(words[0], [words[0]]), *words[1:]]
    run = subprocess.run(command, cwd=directory, env=ENVIRONMENT, check=False)
    if run.returncode != 0:
        sys.exit(f"that ended with exit code {run.returncode}")


def show(build: Path) -> None:
    """Print a manifest's builds; each file's digest is computed and held against Packer's."""
    manifest = json.loads((build / "packer-manifest.json").read_text())
    for one in manifest["builds"]:
        say(f"\n{one['name']}  {' '.join(f'{k}={v}' for k, v in one['custom_data'].items())}")
        checksums = (build / f"{one['name']}.sha256").read_text()
        for name in (file["name"] for file in one["files"]):
            if name.endswith(".sha256"):
                continue
            [path] = build.rglob(name)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest not in checksums:
                sys.exit(f"{name} hashes to {digest}, which Packer's checksum is not")
            say(f"  {digest}  {name}")


def search(directories: list[Path]) -> None:
    """Look for every line of the sample's key in every file."""
    lines = (DEMO / "identity" / "client-key.pem").read_bytes().split(b"\n")
    secret = [line for line in lines if len(line) > 15 and b"-----" not in line]
    files = [path for directory in directories for path in directory.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        if any(line in content for line in secret):
            sys.exit(f"{path} holds the key")
    say(f"\n{len(files)} files searched for {len(secret)} lines of the key: none found")


def say(text: str) -> None:
    """Print a line, before what a program that is started next prints."""
    print(text, flush=True)


def heading(text: str) -> None:
    """Print a heading."""
    say(f"\n{text}\n{'=' * len(text)}")


if __name__ == "__main__":
    main()
