# SPDX-License-Identifier: Apache-2.0
"""What patching and ``support`` cost in CPU seconds, as whole processes.

    python -m bench.patching

The budgets: 0.5 s for patching a file of 2,000 lines, 2 s for ``support`` on all profiles, 5 s for
one million bytes of source, whatever stands in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.sample import write_sample

FACTORY = "installer/linux/src/installer_factory.py"
LINES = 2000
RUNS = 5


def cpu(arguments: list[str], directory: Path) -> float:
    """Return the CPU seconds of one ngtpatch process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ngtpatch", "-q", *arguments],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 4), process.returncode
    return usage.ru_utime + usage.ru_stime


def with_long_factory(directory: Path) -> None:
    """Write a sample, and one whose factory has LINES lines."""
    write_sample(directory / "short.iso")
    with Volume.open(directory / "short.iso") as volume:
        factory = volume.tree[FACTORY]
        function = "\n\ndef helper_{}(value):\n  if value:\n    return [value, {}]\n  return None\n"
        filler = "".join(function.format(n, n) for n in range((LINES - 30) // 6))
        plan = edit(volume, replace={FACTORY: factory + filler.encode()})
        write_file(plan.overlay(), directory / "long.iso")


#: What a file of a million bytes may be full of.
FULL_OF = {
    "functions": "\n\ndef helper_{0}(value):\n  if value:\n    return {0}\n  return None\n",
    "calls": "frob(x{0})\n",
    "tests": "if a{0}:\n  b = {0}\n",
    "lines that are printed": "print('x{0}')\n",
}


def with_full_factory(directory: Path, name: str, unit: str) -> None:
    """Write a sample whose factory has a million bytes."""
    with Volume.open(directory / "short.iso") as volume:
        factory = volume.tree[FACTORY].decode()
        parts, size = [factory], len(factory)
        while size < 1_000_000 - len(unit) - 20:
            parts.append(unit.format(len(parts)))
            size += len(parts[-1])
        plan = edit(volume, replace={FACTORY: "".join(parts).encode()})
        write_file(plan.overlay(), directory / name)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with_long_factory(directory)
        commands = {
            "ngtpatch --version": ["--version"],
            "rebuild, factory as it is": ["rebuild", "short.iso", "-d", "rocky", "-n"],
            f"rebuild, factory of {LINES} lines": ["rebuild", "long.iso", "-d", "rocky", "-n"],
            "support, all profiles": ["support", "short.iso"],
        }
        for number, (title, unit) in enumerate(FULL_OF.items()):
            with_full_factory(directory, f"{number}.iso", unit)
            rebuild = ["rebuild", f"{number}.iso", "-d", "rocky", "-n"]
            commands[f"rebuild, 1 MB of {title}"] = rebuild
        for title, arguments in commands.items():
            seconds = median(cpu(arguments, directory) for _ in range(RUNS))
            print(f"{title:<34} {seconds:6.2f} s CPU")


if __name__ == "__main__":
    main()
