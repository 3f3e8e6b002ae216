# SPDX-License-Identifier: Apache-2.0
"""A branch's test, asked about distributions: true, false, or not known, and why."""

from __future__ import annotations

import pytest

from ngtpatch.installer.recognition import Decision, find_sites

HEAD = "import distro\nn = distro.name().lower()\nTOKEN = 'centos'\n"
TAIL = ":\n    import redhat_installer\nelse:\n    exit(1)\n"


def decide(test: str, name: str) -> Decision:
    (site,) = find_sites({"a.py": f"{HEAD}if {test}{TAIL}".encode()})
    return site.decide(name)


@pytest.mark.parametrize(
    ("test", "accepted", "refused"),
    [
        ("'centos' in n", ["CentOS Linux", "TencentOS"], ["Rocky Linux"]),
        ("TOKEN in n", ["CentOS Linux"], ["Rocky Linux"]),
        ("'centos' not in n", ["Rocky Linux"], ["CentOS"]),
        ("not 'centos' in n", ["Rocky Linux"], ["CentOS"]),
        ("n == 'centos linux'", ["CentOS Linux"], ["CentOS"]),
        ("'centos' == n", ["CentOS"], ["CentOS Linux"]),
        ("n != 'centos'", ["CentOS Linux"], ["CentOS"]),
        ("n in ('centos', 'fedora')", ["CentOS", "Fedora"], ["CentOS Linux"]),
        ("n not in ['centos']", ["CentOS Linux"], ["CentOS"]),
        ("n in {'centos'}", ["CentOS"], ["Fedora"]),
        ("n.startswith('centos')", ["CentOS Linux"], ["TencentOS"]),
        ("n.startswith(('centos', 'red'))", ["CentOS", "Red Hat"], ["TencentOS"]),
        ("n.endswith('os')", ["CentOS", "TencentOS"], ["CentOS Linux"]),
        ("'cent' in n or 'red' in n", ["CentOS", "Red Hat"], ["Fedora"]),
        ("'cent' in n and 'linux' in n", ["CentOS Linux"], ["CentOS", "Rocky Linux"]),
        ("any(t in n for t in ('cent', 'red'))", ["CentOS", "Red Hat"], ["Fedora"]),
        ("any([t in n for t in ['cent']])", ["CentOS"], ["Red Hat"]),
        ("any(t in n for t in {'cent'})", ["CentOS"], ["Red Hat"]),
        # What is not modelled does not matter where the rest decides.
        ("'centos' in n or ready()", ["CentOS"], []),
        ("'centos' in n and ready()", [], ["Fedora"]),
    ],
)
def test_a_test_is_true_where_the_installer_finds_it_true(
    test: str, accepted: list[str], refused: list[str]
) -> None:
    assert [decide(test, name).branch for name in accepted] == ["redhat"] * len(accepted)
    assert [decide(test, name).branch for name in refused] == ["unsupported"] * len(refused)


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("'centos' in n or ready()", "Fedora"),
        ("'centos' in n and ready()", "CentOS"),
        ("not ('centos' in n or ready())", "Fedora"),
        ("'centos' in n or 'red' in n == True", "Fedora"),
        ("'centos' in n or t in n", "Fedora"),
        ("'centos' in n or any(t in n for u in ('fedora',))", "Fedora"),
        ("'centos' in n or any(t in n for t in ('fedora',) if t)", "Fedora"),
        ("'centos' in n or any(t in n for t in TOKENS)", "Fedora"),
        ("'centos' in n or any(t in n for t in ('a',) for u in ('b',))", "Fedora"),
        ("'centos' in n or any(t == n for t in ('fedora',))", "Fedora"),
        ("'centos' in n or any(n)", "Fedora"),
        ("'centos' in n or n.startswith('fed', 1)", "Fedora"),
        ("'centos' in n or n.startswith(PREFIX)", "Fedora"),
        ("'centos' in n or n > 'f'", "Fedora"),
        ("'centos' in n or n is 'fedora'", "Fedora"),
        ("'centos' in n or re.search('fedora', n)", "Fedora"),
    ],
)
def test_what_is_not_modelled_is_not_known(test: str, name: str) -> None:
    assert decide(test, name).branch == "unknown"


@pytest.mark.parametrize(
    ("test", "name", "operand", "line"),
    [
        ("('red' in n or\n    'cent' in n or 'os' in n)", "CentOS", "cent", 5),
        ("('cent' in n and\n    'os' in n)", "CentOS", "os", 5),
        ("n.startswith(('red',\n    'cent'))", "CentOS", "cent", 5),
        ("not 'red' in n", "CentOS", None, 4),
        ("(ready() or\n    'cent' in n)", "CentOS", "cent", 5),
        ("'cent' in n", "Fedora", None, 7),
    ],
)
def test_a_decision_says_which_operand_made_it(
    test: str, name: str, operand: str | None, line: int
) -> None:
    decision = decide(test, name)
    assert (decision.operand, decision.line) == (operand, line)
