# SPDX-License-Identifier: Apache-2.0
"""Mutants of what decides: make them, try some or all, and print how many the tests catch.

python -m scripts.mutation [--sample N] [--seconds S] [PATTERN ...]

A mutant is tried with the quickest tests that reach its function, of S seconds together: more
tests could only catch more, so the score is a lower bound. A mutant that only words a message
otherwise, or drops a refusal's path, hint or excerpt, changes no decision; the other survivors are
printed in full.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from fnmatch import fnmatch
from pathlib import Path

STATISTICS = Path("mutants/mutmut-stats.json")
LOG = Path("mutants.log")
SEED = 20260101
# A line that is nothing but a sentence, or part of what a refusal says.
_SENTENCE = re.compile(r"""[-+]\s*[f+ ]*["'].* .*["'][,)]*$""")
_WORDING = re.compile(r"\bpath=|\bhint=|excerpt\(|_shape\(|_puzzle\(|NotAChain\(|_refused\(")
_STATUS = {"killed": True, "timeout": True, "survived": False, "no tests": False}


def mutmut(*arguments: str) -> list[str]:
    """Return the lines that a command of mutmut prints."""
    run = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


def run(names: list[str]) -> None:
    """Try these mutants; what mutmut prints goes to a log, its end says nothing of the score."""
    with LOG.open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "mutmut", "run", *names], stdout=log, stderr=log, check=False
        )


def results() -> dict[str, str]:
    """Return what became of each mutant."""
    lines = (line.strip().partition(": ") for line in mutmut("results", "--all", "true"))
    return {mutant: status for mutant, _, status in lines if status}


def keep_the_quickest(seconds: float) -> None:
    """Leave each function the quickest of the tests that reach it, of so many seconds together."""
    statistics = json.loads(STATISTICS.read_text())
    took = statistics["duration_by_test"]
    reached = statistics["tests_by_mangled_function_name"]
    for name, tests in reached.items():
        kept: list[str] = []
        spent = 0.0
        for test in sorted(tests, key=lambda test: took[test]):
            spent += took[test]
            if kept and spent > seconds:
                break
            kept.append(test)
        reached[name] = kept
    STATISTICS.write_text(json.dumps(statistics))


def changes(mutant: str) -> list[str]:
    """Return the lines that the mutant removes and adds."""
    return [line for line in mutmut("show", mutant) if re.match(r"[-+](?![-+])", line)]


def only_words(lines: list[str]) -> bool:
    """Tell whether the mutant changes nothing but what a message says."""
    return bool(lines) and all(_SENTENCE.match(line) or _WORDING.search(line) for line in lines)


def report(became: dict[str, str]) -> None:
    """Print the survivors, each module's share, and the score."""
    words, survivors = 0, 0
    modules: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for mutant, status in became.items():
        if status not in _STATUS:
            continue
        module = ".".join(mutant.split(".")[1:3])
        if status == "survived":
            lines = changes(mutant)
            if only_words(lines):
                words += 1
                continue
            survivors += 1
            print(mutant, *lines, sep="\n")
        modules[module][_STATUS[status]] += 1
    for module, counts in sorted(modules.items()):
        print(f"{module:28} {counts[True]:5} of {counts.total():5} caught")
    statuses = Counter(became.values())
    print(", ".join(f"{status} {count}" for status, count in statuses.most_common()))
    caught = sum(one[True] for one in modules.values())
    judged = sum(one.total() for one in modules.values())
    print(f"score {caught / judged:.1%} of {judged}; {words} more only word a message otherwise")


def main() -> None:
    """Make the mutants, try them and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="try so many, picked by chance")
    parser.add_argument("--seconds", type=float, default=10, help="of tests for each mutant")
    parser.add_argument("patterns", nargs="*", default=["*"], metavar="PATTERN")
    options = parser.parse_args()
    run(["nothing of this name"])  # makes the mutants and learns which test reaches what
    keep_the_quickest(options.seconds)
    names = [
        name
        for name in sorted(results())
        if any(fnmatch(name, pattern) for pattern in options.patterns)
    ]
    if options.sample and options.sample < len(names):
        names = sorted(random.Random(SEED).sample(names, options.sample))  # noqa: S311
    run(names)
    became = results()
    report({name: became[name] for name in names})


if __name__ == "__main__":
    main()
