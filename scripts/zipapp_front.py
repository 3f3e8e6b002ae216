# SPDX-License-Identifier: Apache-2.0
"""What Python runs first in ngtpatch.pyz. Written so that every Python since 2.7 can read it.

It compares the running Python with those whose libraries are in the file, finds a place that
the file can be unpacked to, and hands over to shiv.
"""

import os
import platform
import sys

OLDEST = (3, 10)
# Filled in by scripts/zipapp.py.
NEWEST = (3, 0)
MACHINE = ""


def complaint():
    """Return why this Python cannot run the file, or None."""
    running = sys.version_info[:2]
    name = "ngtpatch.pyz"
    if not OLDEST <= running <= NEWEST:
        said = "%s runs with Python %d.%d to %d.%d, and this is Python %d.%d (%s).\n" % (
            (name,) + OLDEST + NEWEST + tuple(running) + (sys.executable or "python",)
        )
        return said + (
            "  Run it with another one: python3.12 %s. On Enterprise Linux 8 and 9: "
            "dnf install python3.12\n" % name
        )
    if platform.python_implementation() != "CPython":
        return (
            "%s runs with CPython, and this is %s.\n  Run it with another one: python3.12 %s\n"
            % (
                name,
                platform.python_implementation(),
                name,
            )
        )
    if (platform.system(), platform.machine()) != ("Linux", MACHINE):
        return (
            "%s was made for Linux on %s, and this is %s on %s.\n"
            "  Make one here: make zipapp, in a checkout\n"
            % (name, MACHINE, platform.system(), platform.machine())
        )
    return None


def unpack_where():
    """Name a directory for the unpacked file when the user's own cannot be written."""
    if os.environ.get("SHIV_ROOT"):
        return
    import atexit
    import shutil
    import tempfile

    there = os.path.join(os.path.expanduser("~"), ".shiv")
    try:
        if os.path.isabs(there):
            os.makedirs(there, exist_ok=True)
            os.rmdir(tempfile.mkdtemp(dir=there))  # seen, not asked: root may write to no /proc
            return
    except OSError:
        pass
    # A fixed name under /tmp could be another user's: a new directory, gone at the end.
    root = tempfile.mkdtemp(prefix="ngtpatch-")
    os.environ["SHIV_ROOT"] = root
    atexit.register(shutil.rmtree, root, ignore_errors=True)


if __name__ == "__main__":
    problem = complaint()
    if problem:
        sys.stderr.write("ngtpatch: error: " + problem)
        sys.exit(1)
    unpack_where()
    from _bootstrap import bootstrap

    try:
        bootstrap()
    except OSError as error:  # of unpacking: ngtpatch itself ends every failure in a sentence
        sys.stderr.write(
            "ngtpatch: error: %s cannot be unpacked (100 MB): %s\n"
            "  Name a directory that has room: SHIV_ROOT=DIR %s\n"
            % (sys.argv[0], error, sys.argv[0])
        )
        sys.exit(1)
