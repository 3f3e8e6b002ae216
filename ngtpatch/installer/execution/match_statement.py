# SPDX-License-Identifier: Apache-2.0
"""``match`` statements."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ngtpatch.installer.execution.calling import Calling
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.varied import Varied

__all__ = ["Matching"]


def _is_plain(pattern: ast.pattern) -> bool:
    """Tell whether a pattern is a literal, or ``*_``."""
    match pattern:
        case ast.MatchValue(value=ast.Constant()) | ast.MatchStar(name=None):
            return True
    return False


class Matching(Calling):
    """Matches a value with patterns."""

    def _do_match(self, node: ast.Match) -> None:
        subject = self.evaluate(node.subject)

        def case(index: int) -> None:
            if index == len(node.cases):
                return
            one = node.cases[index]
            self.line = one.pattern.lineno
            true, false, doubt = self._matches(one.pattern, subject)
            if one.guard is not None:
                here = self.mask
                self.mask = here & true
                guard_true, guard_false, guard_doubt = self.condition(one.guard)
                gone = here & true & ~self.mask
                self.mask = here & ~gone
                true, false = true & guard_true, false | (true & guard_false)
                doubt |= guard_doubt
            if doubt & true & false & self.mask:
                self.note("condition", doubt & true & false & self.mask)
            self.fork([
                (true, self.split(lambda: self.execute(one.body), true, false)),
                (false, self.split(lambda: case(index + 1), true, false)),
            ])  # fmt: skip

        case(0)

    def _matches(self, pattern: ast.pattern, subject: Varied) -> tuple[int, int, int]:
        """Return where *pattern* matches, where not, and where that is in doubt; bind its names."""
        match pattern:
            case ast.MatchValue():
                return self.truth(self.compared(subject, ast.Eq(), self.evaluate(pattern.value)))
            case ast.MatchSingleton():
                return self.truth(self.compared(subject, ast.Is(), Varied.of(pattern.value)))
            case ast.MatchAs(pattern=None):
                if pattern.name:
                    self.bind(pattern.name, subject)
                return self.mask, 0, 0
            case ast.MatchOr():
                true, false, doubt = 0, self.mask, 0
                for one in pattern.patterns:
                    found = self._matches(one, subject)
                    true, false, doubt = true | found[0], false & found[1], doubt | found[2]
                return true, false, doubt
            case ast.MatchSequence() if all(map(_is_plain, pattern.patterns)):
                return self.truth(self.lift(self._sequence(pattern), subject))
        for inner in ast.walk(pattern):
            if isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
                self.bind(inner.name, unknown(tainted=self.depends(subject)))
        self.note("condition")
        return self.mask, self.mask, self.mask

    def _sequence(self, pattern: ast.MatchSequence) -> Callable[[object], bool]:
        wanted = [
            one.value.value
            if isinstance(one, ast.MatchValue) and isinstance(one.value, ast.Constant)
            else None
            for one in pattern.patterns
        ]
        star = next(
            (at for at, one in enumerate(pattern.patterns) if isinstance(one, ast.MatchStar)), None
        )

        def matches(value: object) -> bool:
            if not isinstance(value, list | tuple):
                return False
            if star is None:
                return list(value) == wanted
            after = wanted[star + 1 :]
            return (
                len(value) >= len(wanted) - 1
                and list(value[:star]) == wanted[:star]
                and list(value[len(value) - len(after) :]) == after
            )

        return matches
