# SPDX-License-Identifier: Apache-2.0
"""Values come back exactly, through each language's own reader."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ngtpatch.render import quoting
from tests.render.tools import packer
from tests.requirements import tool

# Whole code points, but no surrogates, which no file holds; rich in what languages trip over.
AWKWARD = st.sampled_from(
    [
        *"'\"`$\\{}%!#&|;<>()[]*?~ \n\t\r:-,\x00\x07\x1b\x7f\x85\u2018\u2028\ufeffé😀",
        *("${x}", "$(x)", "%{if}", "{{ x }}", "\n%end\n", "```\n", "EOF\n", "---\n", "$${"),
    ]
)
TEXT = st.lists(st.one_of(AWKWARD, st.characters(exclude_categories=["Cs"])), max_size=12).map(
    "".join
)
WORDS = st.lists(TEXT.map(lambda text: text.replace("\0", "")), max_size=8)

SAMPLES = [
    "", " ", "a'b", 'a"b', "a\nb", "$HOME", "`id`", "$(id)", "\\", "\\'", "${x}", "$${x}", "%{x}",
    "%%{", "$", "$$", "%", "\t", "\r\n", "é😀", "\x01", "\x7f", "\u2028", "'; rm -rf / #",
]  # fmt: skip


def words_of_bash(script: str) -> list[str]:
    run = subprocess.run(
        [tool("bash", "bash"), "-c", f"printf '%s\\0' {script}"], capture_output=True, check=True
    )
    return run.stdout.decode().split("\0")[:-1]


@settings(max_examples=60, deadline=None)
@given(WORDS)
def test_shell_words_come_back_through_bash(words: list[str]) -> None:
    expected = ["", *words]
    assert words_of_bash(f"'' {quoting.sh(words)}") == expected
    one_line = quoting.sh_line(words)
    assert len(one_line.splitlines()) <= 1
    assert words_of_bash(f"'' {one_line}") == expected


@settings(max_examples=40, deadline=None)
@given(WORDS)
def test_shell_words_come_back_through_a_posix_shell(words: list[str]) -> None:
    run = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' '' {quoting.sh(words)}"], capture_output=True, check=True
    )
    assert run.stdout.decode().split("\0")[1:-1] == words


@settings(max_examples=40, deadline=None)
@given(TEXT.map(lambda text: text.replace("\0", "")))
def test_here_documents_come_back_through_bash_or_are_refused(text: str) -> None:
    try:
        body = quoting.heredoc(text, "EOF")
    except quoting.QuotingError:
        assert {"EOF", "%end"} & {line.strip() for line in text.split("\n")}
        return
    script = f"cat <<'EOF'\n{body}\nEOF\n"
    run = subprocess.run(["bash"], input=script.encode(), capture_output=True, check=True)
    assert run.stdout.decode() == text.rstrip("\n") + "\n"


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(TEXT, st.booleans(), st.integers(-(2**53), 2**53)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_yaml_and_json_come_back(value: object) -> None:
    assert pyyaml.safe_load(f"key: {quoting.yaml(value)}\nnext: 1\n") == {"key": value, "next": 1}
    assert json.loads(quoting.json_(value)) == value


@settings(max_examples=200, deadline=None)
@given(TEXT, st.integers(3, 8))
def test_yaml_blocks_come_back(text: str, indent: int) -> None:
    document = f"- key: {quoting.yaml_block(text, indent)}\n  next: 1\n"
    assert pyyaml.safe_load(document) == [{"key": text, "next": 1}]


def test_a_yaml_block_keeps_a_script_readable() -> None:
    assert quoting.yaml_block("#!/bin/sh\n\necho 'a'\n", 2) == "|\n  #!/bin/sh\n\n  echo 'a'"


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_ansible_s_own_templates_are_switched_off(text: str) -> None:
    quoted = quoting.ansible(text)
    assert quoted.startswith("!unsafe ")
    assert pyyaml.safe_load(quoted.removeprefix("!unsafe ")) == text


def test_hcl_comes_back_through_packer(tmp_path: Path) -> None:
    # One run for all: Packer takes a tenth of a second to start.
    values = [*SAMPLES, 7, True, ["a", "${b}"]]
    (tmp_path / "empty.pkr.hcl").write_text("")
    expression = f"jsonencode({quoting.hcl(values)})\n"
    run = packer("console", "empty.pkr.hcl", cwd=tmp_path, input=expression)
    assert json.loads(run.stdout) == values, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("it's", "'it''s'"),
        ("\u2018x\u2019", "'\u2018\u2018x\u2019\u2019'"),
        ("$env:PATH `n $(x)", "'$env:PATH `n $(x)'"),
        (True, "$true"),
        (3, "3"),
        (["a", "b"], "@('a', 'b')"),
    ],
)
def test_powershell_literals_follow_about_quoting_rules(value: object, literal: str) -> None:
    # By the documentation's rules: no PowerShell is at hand to read them back.
    assert quoting.powershell(value) == literal


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20))
def test_markdown_shows_the_value_and_nothing_else(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(str(quoting.markdown(text)))
    kinds = {token.type for token in tokens}
    assert kinds <= {"paragraph_open", "inline", "paragraph_close"}
    inline = [child for token in tokens for child in token.children or []]
    assert {child.type for child in inline} <= {"text", "text_special"}
    assert "".join(child.content for child in inline) == " ".join(text.split())


@pytest.mark.parametrize("quote", [quoting.sh, quoting.sh_line, quoting.powershell])
def test_what_a_language_cannot_hold_is_refused(quote: Any) -> None:
    with pytest.raises(quoting.QuotingError):
        quote("a\0b")


@pytest.mark.parametrize("name", sorted(set(quoting.FILTERS) - {"heredoc", "yaml_block"}))
def test_bytes_that_are_not_utf_8_are_refused(name: str) -> None:
    with pytest.raises(quoting.QuotingError):
        quoting.FILTERS[name]("\udcff")
