# SPDX-License-Identifier: Apache-2.0
"""What Python does late, once, in bytes or for long: never patched wrongly in silence."""

from __future__ import annotations

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_shapes import tree_of
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.patching.test_library_shapes import became, factory, picked

CHAIN = picked("'centos' in d or 'oracle' in d")
NOT_WRONG = (
    "patched", "shape", "conflict", "anchor-missing", "anchor-ambiguous", "accepts nobody",
    "accepted as it is", "uncertain",
)  # fmt: skip

# None of these may be executed here: each would take hours, or all memory.
LONG = {
    "alternatives in a row": "re.match('(c|cc|d)' * 30 + 'z', 'c' * 60)",
    "options in a group that is repeated": "re.match('(?:c?){60}c{60}', 'c' * 60)",
    "options in a row": "re.match('c?' * 40 + 'c' * 40, 'c' * 40)",
    "an escape before a star": r"re.match(r'(\\*)*\\*x', '\\' * 60)",
    "a bracket in a class": "re.match('([(]|[(][(]|d)' * 30 + 'z', '(' * 60)",
    "repeated in a repeated group": "re.match('(?:a*b?)*z', 'a' * 60)",
    "repetitions over a long text": "re.search('a*a*a*a*z', 'a' * 4096)",
    "a pattern that was compiled": "re.compile('a*a*a*a*z').search('a' * 4096)",
    "what is put in at each place": "re.sub('', 'x' * 4096, 'y' * 4096)",
    "dict.fromkeys": "[dict.fromkeys(range(10000)) for i in range(5000)]",
    "list": "[list(range(10000)) for i in range(5000)]",
    "sum": "[sum(range(10000)) for i in range(5000)]",
    "format": "format(1, '0999999999d')",
    "%": "'%0999999999d' % 1",
    "an f-string": "f'{1:0999999999d}'",
    "str.format": "'{:0999999999d}'.format(1)",
    "ljust": "'a'.ljust(999999999)",
    "zfill": "'a'.zfill(999999999)",
    "expandtabs": "'\\t'.expandtabs(999999999)",
    "replace": "('a' * 4096).replace('', 'b' * 4096).replace('b', 'c' * 4096)",
    "join": "('a' * 4096).join(['b'] * 4096)",
}


@pytest.mark.parametrize("given", LONG)
def test_what_takes_long_is_not_executed(given: str) -> None:
    body = f"if {LONG[given]}:\n    sys.stdout.write('')\n" + CHAIN
    try:
        apply(tree_of(factory("import re", body)), [ROCKY], PATCHES)
    except Refusal as refusal:
        assert refusal.code in NOT_WRONG  # noqa: PT017 - either is right


T = "T = ('CentOS', 'Oracle')"
#: Code that changes what an iterator gives, or what it does late, before *d* is looked for in it.
LATE = {
    name: ("import re\n" + T, f"{before}\n" + picked(test))
    for name, (before, test) in {
        "a map": ("m = map(str.lower, T)\nlist(m)", "any(x in d for x in m) or 'centos' in d"),
        "a filter": ("m = filter(None, ['centos'])\nlist(m)", "any(x in d for x in m) or d == 'x'"),
        "a zip": ("m = zip(['centos'], 'a')\nlist(m)", "any(x in d for x, _ in m)"),
        "an enumeration": ("m = enumerate(['centos'])\nlist(m)", "any(x in d for _, x in m)"),
        "a reversed": ("m = reversed(['centos'])\nlist(m)", "any(x in d for x in m)"),
        "an iterator": ("m = iter(['centos', 'oracle'])\nnext(m)", "any(x in d for x in m)"),
        "a generator": ("m = (x.lower() for x in T)\nlist(m)", "any(x in d for x in m)"),
        "joined twice": ("m = map(str.lower, T)\n''.join(m)", "d in ' linux '.join(m)"),
        "looked for": ("m = iter(['a', 'centos linux'])\n'a' in m", "'a' in m or d in m"),
        "a generator function": (
            "def g():\n    for x in T:\n        yield x.lower()\nm = g()\nlist(m)",
            "any(x in d for x in m)",
        ),
        "a list that changes later": (
            "A = ['centos']\nm = map(str.lower, A)\nA.append('ubuntu')\nA.remove('centos')",
            "any(x in d for x in m)",
        ),
        "a name that changes later": (
            "k = 'centos'\nm = (k in d for _ in '1')\nk = 'ubuntu'",
            "any(m)",
        ),
        "a map that nobody asks": (
            "A = []\nmap(A.append, ['centos linux', 'oracle linux server'])",
            "d in A",
        ),
        "a generator that nobody asks": (
            "A = []\ng = (A.append(x) for x in ('centos linux',))",
            "d in A",
        ),
        "a generator function that nobody asks": (
            "A = []\ndef g():\n    A.append('centos linux')\n    yield 1\ng()",
            "d in A",
        ),
        "one that would end": (
            "map(lambda x: x in d or sys.exit(1), ['linux'])",
            "'centos' in d or 'alma' in d",
        ),
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("given", LATE)
def test_what_is_done_late_or_once_is_never_patched_wrongly(given: str) -> None:
    """``became`` runs it before and after."""
    assert became(factory(*LATE[given])) in NOT_WRONG


BYTES = {
    "encoded": "d.encode() == 'centos linux' or 'oracle' in d",
    "a row that was encoded": "d in ['centos linux'.encode('utf-8'), 'oracle linux server']",
    "bytes of a text": "bytes(d, 'utf-8') in ('centos linux', 'x') or 'oracle' in d",
    "decoded": "d.decode('utf-8') == 'centos linux' or 'oracle' in d",
    "there and back": "d.encode().decode() == 'centos linux'",
    "a maximum": "re.split(' ', d, 1) == ['centos', 'linux'] or re.split('l', d, 1)[0] == 'orac'",
    "comments": "__import__('shlex').split(d + ' #x', comments=True)[0] == 'centos'",
}


@pytest.mark.parametrize("given", BYTES)
def test_what_is_encoded_or_cut_by_an_option_is_never_patched_wrongly(given: str) -> None:
    assert became(factory("import re", picked(BYTES[given]))) in NOT_WRONG
