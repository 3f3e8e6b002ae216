# SPDX-License-Identifier: Apache-2.0
"""Five hundred factories of every shape, in every run of the tests; some for Python 2."""

import json
import random
import subprocess
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_shapes import count_shapes, tree_of
from tests.fuzz.fuzz_unseen import KNOWN, NEW, PATCHES, ROCKY, shares
from tests.fuzz.shape_variants import ONLY_PYTHON_3, SHAPED, for_python_2, shape
from tests.interpreters import interpreter


def test_what_a_proof_allows_is_patched_and_nothing_else_changes() -> None:
    became = count_shapes(random.Random("shapes"), 500)
    print(shares(became))
    every = became["all"]
    decidable = sum(every.values()) - every["accepts nobody"] - every["accepted as it is"]
    assert decidable > 450
    assert every["patched"] >= 0.8 * decidable
    patched = [name for name in SHAPED if became.get(f"shape {name}", Counter())["patched"]]
    assert len(patched) >= 12


# What decided() of the variants does, on Python 2.7.
_JUDGE = r"""
import imp, io, json, sys
given = json.load(open(sys.argv[1]))
def module(called, **names):
    made = sys.modules[called] = imp.new_module(called)
    vars(made).update(names)
def decided(code, guest):
    guest = dict((key, value.encode("utf-8")) for key, value in guest.items())
    told = lambda full_distribution_name=True: (guest["name"], guest["version"], "")
    module("distro", linux_distribution=told, name=lambda: guest["name"],
           id=lambda: {"ol": "oracle"}.get(guest["id"], guest["id"]), like=lambda: guest["like"],
           os_release_attr=lambda key: guest["name"], version=lambda: guest["version"])
    module("platform", linux_distribution=told)
    for name in ("Redhat", "Ubuntu"):
        cls = type(name + "Installer", (object,), {})
        module(name.lower() + "_installer", **{cls.__name__: cls})
    lines = [u"NAME=\"%s\"\n" % guest["name"].decode("utf-8")]
    scope = {"__name__": "installer_factory", "open": lambda path: io.StringIO(u"".join(lines))}
    out, sys.stdout = sys.stdout, open("/dev/null", "w")
    try:
        exec(code, scope)
        return scope["get_linux_installer"]().__name__
    except SystemExit:
        return "exit"
    except Exception as error:
        return type(error).__name__
    finally:
        sys.stdout = out
told = []
for pair in given["pairs"]:
    codes = [compile(text.encode("utf-8"), "f", "exec") for text in pair]
    told.append([[decided(code, guest) for guest in given["guests"]] for code in codes])
json.dump(told, sys.stdout)
"""


def test_what_only_a_python_2_reads_is_patched_and_judged_there(tmp_path: Path) -> None:
    python = interpreter("2.7")
    chance = random.Random("python 2")
    shapes = [name for name in SHAPED if name not in ONLY_PYTHON_3]
    pairs = []
    for number in range(60):
        shaped = shape(chance, only=shapes[number % len(shapes)])
        text = for_python_2(shaped.text, chance)
        try:
            patched = apply(tree_of(text), [ROCKY], PATCHES)
        except Refusal:
            continue
        pairs += [(text, file.after.decode()) for file in patched.changed if file.path == FACTORY]
    guests = [asdict(guest) for guest in (*NEW, *KNOWN)]
    (tmp_path / "given.json").write_text(json.dumps({"pairs": pairs, "guests": guests}))
    (tmp_path / "judge.py").write_text(_JUDGE)
    command = [python, str(tmp_path / "judge.py"), str(tmp_path / "given.json")]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert len(told) >= 48
    for (before, after), pair in zip(told, pairs, strict=True):
        assert set(after[: len(NEW)]) == {"RedhatInstaller"}, pair[1]
        assert before[len(NEW) :] == after[len(NEW) :], pair[1]
