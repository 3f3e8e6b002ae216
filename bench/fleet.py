# SPDX-License-Identifier: Apache-2.0
"""Fleets against loops of cp + pycdlib and of xorriso, in the same run.

    python -m bench.fleet [--vms 1000] [--config-only 10000] [--base 600M] [--peers 5]

Every measured thing is a whole process, from start to exit. ngtpatch does all VMs; a peer
does a few, and its time is scaled by the number of VMs, which is said in the table. Needs
root for the loop-mounted file systems; without, the current one is used.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import combinations, islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from bench.measure import compiled_once
from ngtpatch.sample import write_sample
from tests.fleet.mounts import mounted
from tests.identity import material as m

MIB = 1 << 20
TODAY = datetime.now(timezone.utc) - timedelta(days=1)


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds of wall clock, peak resident bytes, bytes to the device."""

    seconds: float
    rss: int
    device: int | None


@dataclass
class Ground:
    """A file system to work on."""

    name: str
    path: Path
    device: str | None

    def written(self) -> int | None:
        """Bytes that its device has been given so far."""
        if self.device is None:
            return None
        subprocess.run(["sync", "-f", self.path], check=True)
        fields = Path(f"/sys/block/{self.device}/stat").read_text().split()
        return int(fields[6]) * 512

    def measured(self, command: list[str]) -> Cost:
        """Run a command to its end."""
        before = self.written()
        # From a small process: a child's peak begins with that of who forked it.
        run = subprocess.run(
            [sys.executable, "-S", "-c", _LAUNCH, *command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if run.returncode:
            raise SystemExit(f"{command}: {run.stderr[-2000:]}")
        seconds, rss = map(float, run.stdout.split())
        after = self.written()
        device = after - before if after is not None and before is not None else None
        return Cost(seconds, int(rss), device)


_LAUNCH = """
import os, sys, time
begin = time.perf_counter()
child = os.fork()
if not child:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - begin, usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--config-only", type=int, default=10_000)
    parser.add_argument("--base", default="600M")
    parser.add_argument("--peers", type=int, default=5)
    parser.add_argument(
        "--on", choices=["xfs", "btrfs", "here"], nargs="*", default=["xfs", "btrfs"]
    )
    wanted = parser.parse_args()
    size = int(wanted.base.rstrip("M")) * MIB
    with tempfile.TemporaryDirectory(prefix="ngtpatch-bench-") as scratch:
        root = Path(scratch)
        base = root / "base.iso"
        compiled_once(root)
        write_sample(base, payload=size)
        count = max(wanted.vms, wanted.config_only)
        print(f"{count} identities, RSA 2048 ...", flush=True)
        inventories = _identities(root, count, [10, wanted.vms, wanted.config_only])
        for name in wanted.on:
            with _ground(name, root) as ground:
                shutil.copyfile(base, ground.path / "base.iso")
                _full(ground, root, inventories, wanted.vms, wanted.peers)
                _config_only(ground, root, inventories, wanted.config_only, wanted.peers)


def _identities(root: Path, count: int, sizes: list[int]) -> dict[int, Path]:
    names = []
    for number, key in enumerate(rsa_keys(count), 1):
        folder = root / "certificates" / f"vm{number}"
        folder.mkdir(parents=True)
        certificate = m.pem(m.certificate(key, name=folder.name, begin=TODAY))
        (folder / "ngt_config.json").write_bytes(m.config(number))
        (folder / "client-cert.pem").write_bytes(certificate)
        (folder / "client-key.pem").write_bytes(m.key_pem(key))
        (folder / "client-key.pem").chmod(0o600)
        names.append(folder.name)
    inventories = {}
    for size in {*sizes}:
        inventories[size] = root / f"vms-{size}.csv"
        inventories[size].write_text("\n".join(["name", *names[:size]]) + "\n")
    return inventories


def rsa_keys(count: int) -> Iterator[rsa.RSAPrivateKey]:
    """Yield RSA keys of 2048 bits, each another: every pair of a few hundred primes is one.

    Making so many anew would take the hour.
    """
    primes: list[int] = []
    while len(primes) * (len(primes) - 1) // 2 < count:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
        primes += [made.p, made.q]
    for p, q in islice(combinations(primes, 2), count):
        private = pow(65537, -1, (p - 1) * (q - 1))
        yield rsa.RSAPrivateNumbers(
            p, q, private, private % (p - 1), private % (q - 1), pow(q, -1, p),
            rsa.RSAPublicNumbers(65537, p * q),
        ).private_key(unsafe_skip_rsa_key_validation=True)  # fmt: skip


@contextmanager
def _ground(name: str, root: Path) -> Iterator[Ground]:
    if name == "here" or os.geteuid() != 0:
        path = root / "here"
        path.mkdir()
        yield Ground("the current file system", path, None)
        shutil.rmtree(path)
        return
    with mounted(root, name, 24 << 30) as point:
        device = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", point], capture_output=True, text=True, check=True
        ).stdout.strip()
        yield Ground(f"{name}, loop-mounted", point, Path(device).name)


def _inject(ground: Ground, root: Path, inventory: Path, out: str, *more: str) -> Cost:
    return ground.measured([
        sys.executable, "-m", "ngtpatch", "-q", "inject", str(ground.path / "base.iso"),
        "--inventory", str(inventory), "--certificates", str(root / "certificates"),
        "--output-dir", str(ground.path / out), *more,
    ])  # fmt: skip


def _full(ground: Ground, root: Path, inventories: dict[int, Path], vms: int, peers: int) -> None:
    base = ground.path / "base.iso"
    size = base.stat().st_size
    print(f"\n{vms} full images of {size / 1e6:.0f} MB on {ground.name}\n")
    few = _inject(ground, root, inventories[10], "few")
    many = _inject(ground, root, inventories[vms], "many")
    again = _inject(ground, root, inventories[vms], "many", "--resume")
    _row("ngtpatch inject, 10 VMs", few, 10)
    _row(f"ngtpatch inject, {vms} VMs", many, vms)
    _row(f"ngtpatch inject --resume, {vms} VMs, nothing to do", again, vms)

    def loop(script: str) -> Callable[[], Cost]:
        return lambda: ground.measured(
            [sys.executable, "-c", script, str(base), str(ground.path), str(root / "certificates"),
             str(peers)]
        )  # fmt: skip

    for title, run in (
        ("loop: cp + pycdlib, new contents, written", loop(CP_PYCDLIB_WRITE)),
        ("loop: cp --reflink=never + pycdlib in place", loop(CP_PYCDLIB_IN_PLACE % "never")),
        ("loop: cp --reflink=auto + pycdlib in place", loop(CP_PYCDLIB_IN_PLACE % "auto")),
        ("loop: xorriso -indev -outdev -update", _xorriso(ground, base, root, peers)),
    ):
        cost = run()
        each = cost.seconds / peers
        _row(f"{title} ({peers} done)", cost, peers)
        print(f"{'':58}{each * vms / many.seconds:10.0f} times ngtpatch's time, for {vms}")
    for name in ("few", "many"):
        shutil.rmtree(ground.path / name)


def _config_only(
    ground: Ground, root: Path, inventories: dict[int, Path], vms: int, peers: int
) -> None:
    print(f"\n{vms} config-only images on {ground.name}\n")
    few = _inject(ground, root, inventories[10], "few", "--config-only")
    many = _inject(ground, root, inventories[vms], "many", "--config-only")
    _row("ngtpatch inject --config-only, 10 VMs", few, 10)
    _row(f"ngtpatch inject --config-only, {vms} VMs", many, vms)
    peers = min(peers * 20, vms)
    for title, cost in (
        ("loop: genisoimage -R -J", _genisoimage(ground, root, peers)),
        ("loop: xorriso -as mkisofs -R -J", _genisoimage(ground, root, peers, "xorriso")),
    ):
        _row(f"{title} ({peers} done)", cost, peers)
        ratio = cost.seconds / peers * vms / many.seconds
        print(f"{'':58}{ratio:10.1f} times ngtpatch's time, for {vms}")
    for name in ("few", "many"):
        shutil.rmtree(ground.path / name)


def _row(title: str, cost: Cost, vms: int) -> None:
    device = (
        "" if cost.device is None else f"{cost.device / vms / 1024:9.1f} KiB to the device each"
    )
    print(
        f"{title:58}{cost.seconds:8.2f} s {cost.seconds / vms * 1000:9.2f} ms each"
        f"{cost.rss / MIB:7.0f} MiB RSS {device}",
        flush=True,
    )


# What a script around pycdlib does. Both sync, as ngtpatch does.
_LOOP = """
import io, os, subprocess, sys
import pycdlib
base, out, certificates, count = sys.argv[1:]
NAMES = ("ngt_config.json", "client-cert.pem", "client-key.pem")
def iso_paths(iso):
    found = {}
    for child in iso.list_children(iso_path="/CONFIG"):
        if child is not None and not child.is_dir():
            found[child.rock_ridge.name().decode()] = "/CONFIG/" + child.file_identifier().decode()
    return found
def sync(path):
    fd = os.open(path, os.O_RDWR); os.fsync(fd); os.close(fd)
for number in range(1, int(count) + 1):
    folder = f"{certificates}/vm{number}"
    target = f"{out}/peer{number}.iso"
    iso = pycdlib.PyCdlib()
"""

CP_PYCDLIB_WRITE = (
    _LOOP
    + """
    copy = target + ".copy"
    subprocess.run(["cp", base, copy], check=True)
    iso.open(copy)
    for name, path in iso_paths(iso).items():
        if name in NAMES:
            data = open(f"{folder}/{name}", "rb").read()
            iso.update_file_contents_fp(io.BytesIO(data), len(data), iso_path=path)
    with open(target, "wb") as file:
        iso.write_fp(file, blocksize=1 << 20)
    iso.close()
    sync(target)
    os.unlink(copy)
    os.unlink(target)
"""
)

CP_PYCDLIB_IN_PLACE = (
    _LOOP
    + """
    subprocess.run(["cp", "--reflink=%s", base, target], check=True)
    iso.open(target, "r+b")
    for name, path in iso_paths(iso).items():
        if name in NAMES:
            data = open(f"{folder}/{name}", "rb").read()
            room = iso.get_record(iso_path=path).get_data_length()
            data = data[:-(-room // 2048) * 2048]
            iso.modify_file_in_place(io.BytesIO(data), len(data), path)
    iso.close()
    sync(target)
    os.unlink(target)
"""
)


def _xorriso(ground: Ground, base: Path, root: Path, peers: int) -> Callable[[], Cost]:
    script = (
        f'for n in $(seq {peers}); do xorriso -indev "$1" -outdev "$2/peer.iso" -joliet on '
        '-update_r "$3/vm$n" /config -commit_eject all; sync "$2/peer.iso"; rm "$2/peer.iso"; done'
    )
    return lambda: ground.measured(
        ["sh", "-ec", script, "sh", str(base), str(ground.path), str(root / "certificates")]
    )


def _genisoimage(ground: Ground, root: Path, peers: int, program: str = "genisoimage") -> Cost:
    tool = "xorriso -as mkisofs" if program == "xorriso" else program
    script = (
        f"for n in $(seq {peers}); do {tool} -quiet -R -J -V NUTANIX_TOOLS "
        '-graft-points -o "$1/peer.iso" config="$2/vm$n"; sync "$1/peer.iso"; '
        'rm "$1/peer.iso"; done'
    )
    return ground.measured(
        ["sh", "-ec", script, "sh", str(ground.path), str(root / "certificates")]
    )


if __name__ == "__main__":
    main()
