# SPDX-License-Identifier: Apache-2.0
"""Print what became of the mutants of the last ``mutmut run``, and the survivors that count.

python scripts/mutation_score.py

A mutant that only words a message otherwise, or drops a refusal's path, hint or excerpt,
changes no decision; the other survivors are printed in full.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

# A line that is nothing but a sentence, or part of what a refusal says.
_SENTENCE = re.compile(r"""[-+]\s*[f+ ]*["'].* .*["'][,)]*$""")
_WORDING = re.compile(r"\bpath=|\bhint=|excerpt\(|_shape\(|_puzzle\(|NotAChain\(|_refused\(")


def mutmut(*arguments: str) -> list[str]:
    """Return the lines that a command of mutmut prints."""
    run = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


def changes(mutant: str) -> list[str]:
    """Return the lines that the mutant removes and adds."""
    return [line for line in mutmut("show", mutant) if re.match(r"[-+](?![-+])", line)]


def only_words(lines: list[str]) -> bool:
    """Tell whether the mutant changes nothing but what a message says."""
    return bool(lines) and all(_SENTENCE.match(line) or _WORDING.search(line) for line in lines)


def main() -> None:
    """Print the survivors, the counts and the score."""
    became: Counter[str] = Counter()
    survivors = []
    for line in mutmut("results", "--all", "true"):
        mutant, _, status = line.strip().partition(": ")
        became[status] += bool(status)
        if status == "survived":
            survivors.append(mutant)
    words = 0
    for mutant in survivors:
        lines = changes(mutant)
        if only_words(lines):
            words += 1
        else:
            print(mutant, *lines, sep="\n")
    caught = became["killed"] + became["timeout"]
    judged = caught + became["survived"] + became["no tests"]
    print(", ".join(f"{status} {count}" for status, count in became.most_common() if count))
    print(f"score {caught / judged:.1%}; without {words} that only word a message otherwise:")
    print(f"score {caught / (judged - words):.1%}, {len(survivors) - words} survivors, shown above")


if __name__ == "__main__":
    main()
