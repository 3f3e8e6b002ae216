# SPDX-License-Identifier: Apache-2.0
"""docs/reliability.md, from what each section's last run left below results/."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from tests.reliability.sections import ROOT, SECTIONS

__all__ = ["PAGE", "RESULTS", "page"]

PAGE = ROOT / "docs/reliability.md"
RESULTS = Path(__file__).parent / "results"
_MOST_ROWS = 24

_TEMPLATE = """\
<!-- SPDX-License-Identifier: Apache-2.0 -->
# What was attacked, and what was lost

Written by `make reliability`; changes by hand are not kept. Each section says what is held after
each attempt, and of its last run, or of each piece that was added to it, the commit, the day, the
machine and the count. A count below the whole is part of the section: what it did not try, it says
nothing about.

| section | tried | of | wrong | time |
|---|---:|---:|---:|---:|
{% for one in rows -%}
| {{ one.link }} | {{ one.tried }} | {{ one.of }} | {{ one.wrong }} | {{ one.time }} |
{% endfor %}
{%- for one in rows %}
## {{ one.title }}

{{ one.held }}
{% if one.ran %}
{{ one.ran }}
{% if one.outcomes %}
| became | |
|---|---:|
{% for name, count in one.outcomes -%}
| {{ name }} | {{ count }} |
{% endfor -%}
{% endif -%}
{% if one.more %}
{{ one.more }}
{% endif -%}
{% for name, figure in one.figures %}
- {{ name }}: {{ figure }}
{%- endfor %}
{% for wrong in one.found %}
- **wrong**: `{{ wrong }}`
{%- endfor %}
{%- else %}
It has not run.
{% endif %}
{%- endfor %}
"""  # a page of Markdown: nothing in it comes from outside of this tree


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("<", "&lt;").replace("\n", " ")


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _row(name: str, results: Path) -> dict[str, Any]:
    section, path = SECTIONS[name], results / f"{name}.json"
    anchor = "".join(c for c in section.title.lower() if c.isalnum() or c in " -").replace(" ", "-")
    row = {
        "title": section.title,
        "link": f"[{section.title}](#{anchor})",
        "held": section.held,
        "ran": "",
        "tried": "-",
    }
    row |= {
        "of": "all" if section.whole is None else f"{section.whole:,}",
        "wrong": "-",
        "time": "-",
    }
    if not path.exists():
        return row
    kept = json.loads(path.read_text())
    pieces = kept["pieces"]
    count, seconds = sum(one["count"] for one in pieces), sum(one["seconds"] for one in pieces)
    outcomes = Counter({_cell(one): times for one, times in kept["outcomes"].items()}).most_common()
    part = (
        "" if section.whole is None or count >= section.whole
        else f" This is a part: {count:,} of {section.whole:,} were asked for."
    )  # fmt: skip
    rest = outcomes[_MOST_ROWS:]
    return row | {
        # Of calls the share is asked for, and its number depends on the commands.
        "tried": f"{sum(one['tried'] for one in pieces):,}"
        + (f" ({count} %)" if name == "calls" else ""),
        "wrong": len(kept["wrong"]), "time": _time(seconds),
        "of": "all" if section.whole is None else f"{section.whole:,}"
        + (" %" if name == "calls" else " a command" if name == "sizes" else ""),
        "ran": "\n".join(map(_piece, pieces)) + part,
        "outcomes": outcomes[:_MOST_ROWS],
        "more": f"And {sum(n for _, n in rest):,} in {len(rest)} rarer ways." if rest else "",
        "figures": [
            (f"{key} (piece {number})" if len(pieces) > 1 else key, _cell(value))
            for number, piece in enumerate(pieces, start=1)
            for key, value in sorted(piece["figures"].items())
        ],
        "found": [_cell(one)[:300] for one in kept["wrong"][:20]],
    }  # fmt: skip


def _piece(piece: dict[str, Any]) -> str:
    return (
        f"{piece['date']}, commit {piece['commit']}, {piece['tried']:,} from seed {piece['seed']} "
        f"on; {piece['machine']}; {_time(piece['seconds'])}."
    )


def page(results: Path = RESULTS) -> str:
    """Return the page as the results that are kept make it."""
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown, of what is in this tree
        keep_trailing_newline=True,
    )
    text = environment.from_string(_TEMPLATE).render(
        rows=[_row(name, results) for name in SECTIONS]
    )
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.rstrip("\n") + "\n"
