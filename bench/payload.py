# SPDX-License-Identifier: Apache-2.0
"""A rebuild that changes ten members of a large archive, against ``gzip -6`` of the same data.

    python -m bench.payload [MIB]

The budgets: three times gzip's time, and less than 100 MB of memory.
"""

from __future__ import annotations

import io
import random
import sys
import tarfile
import tempfile
from pathlib import Path

from bench.measure import run
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.bytesource import FileSource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.sample import write_sample

AGENT = "installer/linux/src/ngt_guest_agent.tar.gz"
SIZE = 300
MEMBERS = 10
SOURCE = b"""import platform


def image():
    name = platform.linux_distribution()[0].lower()
    if "centos" in name or "red hat" in name:
        return "initramfs"
    return None
"""


def archive(target: Path, size: int) -> None:
    """Write *size* MiB: libraries of noise and of text, and ten members that decide."""
    chance = random.Random(1)  # noqa: S311 - the same data each time
    words = [b"%x" % chance.getrandbits(chance.randrange(8, 48)) for _ in range(5000)]
    with tarfile.open(target, "w") as tar:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

        for number in range(size):
            text = b" ".join(chance.choices(words, k=100_000))[: 768 << 10]
            add(f"./lib/part{number}.so", chance.randbytes(256 << 10) + text)
            if number % (size // MEMBERS) == 0:
                add(f"./bin/pick{number}.py", SOURCE)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tar, packed = folder / "agent.tar", folder / "agent.tar.gz"
        archive(tar, size)
        gzip = run(["sh", "-c", f"gzip -6 -n -c {tar} >{packed}"], directory=folder)
        write_sample(folder / "sample.iso", era=2, seed="bench")
        with Volume.open(folder / "sample.iso") as volume:
            source = FileSource(packed)
            write_file(edit(volume, replace={AGENT: source}).overlay(), folder / "base.iso")
            source.close()
        command = [sys.executable, "-m", "ngtpatch", "-q", "rebuild", str(folder / "base.iso")]
        command += ["--distro", "rocky", "-o", str(folder / "out.iso")]
        ours = run(command, directory=folder)
        with Volume.open(folder / "out.iso") as volume, volume.tree.open(AGENT) as stream:
            listing = tarfile.open(fileobj=stream, mode="r:gz")  # noqa: SIM115 - closed below
            changed = sum(
                b"rocky linux" in (listing.extractfile(one) or io.BytesIO()).read()
                for one in listing
                if one.name.endswith(".py")
            )
            listing.close()
        vendor, grown = (folder / "base.iso").stat().st_size, (folder / "out.iso").stat().st_size
    assert changed == MEMBERS, changed
    print(f"{size} MiB in an archive, {changed} members changed")
    print(f"  gzip -6           {gzip.seconds:6.1f} s")
    print(f"  ngtpatch rebuild  {ours.seconds:6.1f} s, {ours.seconds / gzip.seconds:.2f} times that"
          f", {ours.rss / 1e6:.0f} MB of memory")  # fmt: skip
    print(f"  the image         {vendor >> 20} MiB, then {grown >> 20} MiB")
    if ours.rss > 100e6 or ours.seconds > 3 * gzip.seconds:
        sys.exit("over budget")


if __name__ == "__main__":
    main()
