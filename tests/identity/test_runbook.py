# SPDX-License-Identifier: Apache-2.0
"""The runbook of ``identity check --plan``, read by Markdown's own reader and run by bash."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ngtpatch.errors import InputError
from ngtpatch.identity.runbook import Renewal, runbook
from tests.requirements import tool

UUID = "0c8d9f3e-5a8b-4f6e-9d63-2d6f0f7a1b02"
HOSTILE = [
    "a\n\n       reboot\n",
    "a\n```\nreboot\n```",
    "x'; touch canary; '",
    "$(touch canary)",
    "`touch canary`",
    "# a heading #",
    "[a](javascript:x) <b>&amp;<br> ![i](u)",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "\u202egnp.exe\u2066",
    "-rf",
    "1. item",
    "web\r\nreboot",
    "| a | b |",
    "!!",
    "\\",
]


def plan(name: str, method: str = "recreate", uuid: str | None = UUID) -> str:
    return runbook([Renewal(name, uuid, (f"{name} is due",), None)], method=method)


def commands(text: str) -> list[str]:
    blocks = [t.content for t in MarkdownIt("commonmark").parse(text) if t.type == "code_block"]
    return "".join(blocks).splitlines()


@pytest.mark.parametrize("method", ["refresh", "recreate"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_becomes_no_command_no_heading_and_no_control(
    tmp_path: Path, name: str, method: str
) -> None:
    text = plan(name, method)
    assert all(line.isprintable() for line in text.split("\n"))
    headings = [t.tag for t in MarkdownIt("commonmark").parse(text) if t.type == "heading_open"]
    assert headings == ["h1", "h2"]
    assert "<" not in MarkdownIt("commonmark").render(text.split("## ")[1].split("\n")[0])[3:-5]
    lines = commands(text)
    assert [line.split()[0] for line in lines] == [
        line.split()[0] for line in commands(plan("web-01", method))
    ]
    # Pasted line by line: each program gets the name, whole, as one argument.
    script = 'show() { printf "%s\\0" "$@"; printf "\\0"; }\n'
    script += "\n".join(f"show {line}" for line in lines)
    run = subprocess.run(
        [tool("bash", "bash")], input=script.encode(), cwd=tmp_path, capture_output=True, check=True
    )
    assert list(tmp_path.iterdir()) == []
    assert f"install\x00-d\x00-m\x00700\x00certificates/{name}\x00".encode() in run.stdout


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_name_at_all(name: str) -> None:
    text = plan(name)
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(commands(text)) == (6 if "/" in name or name in (".", "..") else 8)


@pytest.mark.parametrize("name", ["../../root/.ssh", "..", "/etc"])
def test_a_name_that_leads_elsewhere_is_no_directory(name: str) -> None:
    assert "install" not in " ".join(commands(plan(name)))


def test_without_a_uuid_a_pasted_command_asks_for_nothing_that_is() -> None:
    for line in commands(plan("web-01", uuid=None)):
        words = shlex.split(line)
        assert words[0] != "nutanix_guest_tools_cli" or words[2] == "<UUID of the VM>"
        assert not {"<", ">"} & set(words)


def test_a_uuid_from_an_inventory_is_one_word() -> None:
    for line in commands(plan("web-01", uuid="x; reboot")):
        assert "reboot" not in shlex.split(line)


def test_an_own_template_prints_plain_words_and_quotes_the_rest() -> None:
    def own(name: str, text: str) -> str:
        return runbook([Renewal(name, None, (), None)], method="refresh", template=text)

    assert own("web-01", "{% for vm in vms %}{{ vm.name }}{% endfor %}") == "web-01"
    assert own("a\nb", "{{ vms[0].name | sh_line }}") == "$'a\\012b'"
    # Nor what a kickstart, YAML or Markdown would take for something else.
    special = ("%end", "%include", "@x", "a:", ":", "+", ",", "yes", "Null", "...", "__x__")
    for name in ("a b", "a\nb", "$x", "-rf", "\u202e", "", *special):
        with pytest.raises(InputError) as caught:
            own(name, "x\n{{ vms[0].name }}")
        assert (caught.value.code, caught.value.path) == (
            "template-unquoted",
            "the runbook's template:2",
        )
        assert "sh_line" in str(caught.value.hint)
    for text, code in (("{{ nmae }}", "undefined"), ("{{ 1 // 0 }}", "failed"), ("{%", "syntax")):
        with pytest.raises(InputError) as caught:
            own("a", text)
        assert caught.value.code == f"template-{code}"
