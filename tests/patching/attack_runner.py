# SPDX-License-Identifier: Apache-2.0
"""Runs small installers as guests would: real Python, with what a guest tells put in its place.

Started as a program, with a JSON request on standard input: for each folder and guest
``install_ngt.py`` is run in a child of its own, and what became of it is written back.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any

# So that a Python which the installer starts is on the same guest.
SITE = """\
import json, os, sys
if "NGT_GUEST" in os.environ and os.environ.get("NGT_RUNNER"):
    sys.path.insert(0, os.environ["NGT_RUNNER"])
    import attack_runner
    attack_runner.become(json.loads(os.environ["NGT_GUEST"]))
"""


def become(guest: dict[str, Any]) -> None:
    """Let everything in this process see *guest*."""
    told = (guest["name"], guest["version"], "")
    attributes = {key.lower(): value for key, value in guest["attributes"].items()}
    distro: Any = types.ModuleType("distro")
    short = {"ol": "oracle"}.get(guest["id"], guest["id"])
    distro.linux_distribution = lambda full_distribution_name=True: told
    distro.name = lambda pretty=False: guest["name"]
    distro.id = lambda: short
    distro.like = lambda: guest["like"]
    distro.version = lambda **_: guest["version"]
    distro.major_version = lambda **_: guest["version"].split(".")[0]
    distro.info = lambda **_: {"id": short, "version": guest["version"], "like": guest["like"]}
    distro.os_release_attr = lambda key: attributes.get(key, "")
    distro.os_release_info = lambda: dict(attributes)
    # None is what Python itself puts there for a module that is not to be had.
    modules: dict[str, Any] = sys.modules
    modules["distro"] = None if guest["lacks_distro"] else distro
    import platform

    platform.linux_distribution = lambda **_: told  # type: ignore[attr-defined]


def outcome(folder: str, guest: dict[str, Any]) -> str:
    """Run ``install_ngt.py`` of *folder* in a child and tell how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        where = "redhat" if "INSTALLED redhat" in said else "ubuntu" if "INSTALLED" in said else "-"
        return f"{code} {where}"
    code = 1
    try:
        os.dup2(writing, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stdout = os.fdopen(1, "w")
        Path(guest["release"]).write_text(guest["text"])
        Path(guest["redhat"]).write_text(guest["short"])
        os.environ.update(NGT_GUEST=json.dumps(guest), NGT_RUNNER=str(Path(__file__).parent))
        os.environ["PYTHONPATH"] = guest["site"] + os.pathsep + f"{folder}/src"
        become(guest)
        sys.argv = [f"{folder}/install_ngt.py"]
        sys.path.insert(0, folder)
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        import atexit
        import threading

        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        code = 1
    finally:
        sys.stdout.flush()
        os._exit(code & 0xFF)


def main() -> None:
    """Read the request, write the answer."""
    request = json.load(sys.stdin)
    site = Path(request["site"])
    site.mkdir(parents=True, exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE)
    found = {
        folder: [outcome(folder, {**guest, **request["paths"]}) for guest in request["guests"]]
        for folder in request["folders"]
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
