# SPDX-License-Identifier: Apache-2.0
"""What is executed on paper is what a real Python makes: values that it claims to know are so.

In ``make test`` some hundreds of programs; for more, with the Python whose values they are::

    python -m tests.fuzz.fuzz_execution --count 20000 --python 2.7
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.execution.objects import Container, Frozen, InstanceObject, View, Viewed
from ngtpatch.installer.execution.state import Exhausted
from ngtpatch.installer.execution.varied import Unknown, is_vague
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.layout import ROOT
from tests.fuzz.real_values import shown
from tests.fuzz.snippets import snippet
from tests.interpreters import interpreter

__all__ = ["compare", "programs_of"]

GUESTS = (
    World("Rocky Linux", "rocky", "rhel centos fedora", "9.4"),
    World("CentOS Linux", "centos", "rhel fedora", "9.4"),
    World("Ubuntu", "ubuntu", "debian", "9.4"),
)
_PATH = ROOT + "snippet.py"


def programs_of(seed: str, count: int, *, python: str) -> list[str]:
    """Return programs that *python* reads; for 2.7, half of them only that."""
    chance = random.Random(seed)
    found = [snippet(chance, new=python != "2.7" and bool(at % 2)) for at in range(count)]
    if python == "2.7":
        found = [text + "print 'x'\n" * (at % 2) for at, text in enumerate(found)]
    return found


def compare(texts: Sequence[str], python: str) -> tuple[list[str], Counter[str]]:
    """Return what was claimed and is not so, and how much was claimed at all."""
    wrong: list[str] = []
    counted: Counter[str] = Counter()
    for text, answers in zip(texts, _real(texts, python), strict=True):
        if None in answers:
            counted["unreadable"] += 1
            continue
        machine = Machine({_PATH: text.encode()}, GUESTS, steps=200_000)
        try:
            machine.start(_PATH)
        except Exhausted:
            counted["too long"] += 1
            continue
        except Exception as error:
            wrong.append(f"cannot be followed: {error!r}\n{text}")
            continue
        if python == "2.7" and machine.unordered_at is not None:
            counted["in some order"] += 1
            continue
        for at, answer in enumerate(answers):
            if wrong and wrong[-1].endswith(text):
                break  # one is enough
            wrong += [
                f"{GUESTS[at].name} on {python}: {why}\n{text}"
                for why in _differences(machine, 1 << at, answer, counted)
            ]
    return wrong, counted


def _real(texts: Sequence[str], python: str) -> list[list[dict[str, Any]]]:
    command = [interpreter(python), str(Path(__file__).parent / "real_values.py")]
    given = json.dumps({"texts": texts, "names": [one.name for one in GUESTS]})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def _differences(
    machine: Machine, bit: int, answer: Mapping[str, Any], counted: Counter[str]
) -> Iterator[str]:
    if any(one.guests & bit for one in machine.findings.values()):
        counted["doubt"] += 1
        return
    thrown = [one for one in machine.trials[0].thrown if one.guests & bit]
    may_raise = bool(thrown or machine.trials[0].perhaps & bit)
    if answer["ended"] is None and not machine.mask & bit:
        yield f"ends ({', '.join(_called(one.error) for one in thrown)}), and does not"
        return
    if answer["ended"] is not None:
        known = {_called(one.error) for one in thrown}
        if not may_raise or (known and not machine.trials[0].perhaps & bit
                             and answer["ended"] not in known | {"?"}):  # fmt: skip
            yield f"does not end with {answer['ended']}, and does ({known})"
        counted["ended"] += 1
        return
    for name, value in answer["names"].items():
        claims = [one for _, one in machine.modules[_PATH].store.get(name).each(bit)]
        texts = [_shown(one, bit) for one in claims]
        if value is None or None in texts:
            counted["not known"] += 1
            continue
        counted["claimed"] += 1
        counted["claimed to be one"] += len(texts) == 1
        if value not in texts:
            yield f"{name} is {value}, and not {texts}"


def _called(error: Any) -> str:
    return error.cls.name if isinstance(error, InstanceObject) else "?"


def _shown(value: Any, bit: int) -> str | None:
    made = _made(value, bit)
    return None if is_vague(made) else shown(made)


def _made(value: Any, bit: int, depth: int = 6) -> Any:  # noqa: PLR0911 - one a kind of value
    """Return a value as an object of Python's own; Unknown where a part is not known."""
    if isinstance(value, Unknown) or not depth:
        return Unknown(tainted=False)
    if isinstance(value, Container):
        groups = list(value.store.get("items").each(bit))
        if len(groups) != 1 or isinstance(value, View | Viewed):
            return Unknown(tainted=False)
        items = groups[0][1]
        if isinstance(items, Unknown):
            return items
        rows = list(items.items()) if isinstance(items, dict) else list(items)
        parts = _made(tuple(rows), bit, depth - 1)
        if is_vague(parts):
            return Unknown(tainted=False)
        try:
            return (frozenset if isinstance(value, Frozen) else value.kind)(parts)
        except TypeError:
            return Unknown(tainted=False)
    if type(value) is tuple:
        parts = tuple(_made(one, bit, depth - 1) for one in value)
        return Unknown(tainted=False) if is_vague(parts) else parts
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare execution on paper with a real one.")
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", default="execution")
    parser.add_argument("--python", default=f"{sys.version_info[0]}.{sys.version_info[1]}")
    arguments = parser.parse_args()
    texts = programs_of(arguments.seed, arguments.count, python=arguments.python)
    wrong, counted = compare(texts, arguments.python)
    for one in wrong[:20]:
        print(one)
    print(f"{len(wrong)} claims are wrong; {dict(counted)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
