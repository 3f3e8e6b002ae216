# SPDX-License-Identifier: Apache-2.0
"""Values come back exactly, through each language's own reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion

from ngtpatch.render import quoting
from tests.render.tools import accepted, packer, python_tool
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
    assert quoted.startswith("!unsafe ") is ("{" in text)
    assert pyyaml.safe_load(quoted.removeprefix("!unsafe ")) == text


def test_values_come_back_through_ansible(tmp_path: Path) -> None:
    # Through a variable and through a module's arguments: a value that were a template would
    # touch the canary, or come out as something else.
    touch = f"{{{{ lookup('pipe', 'touch {tmp_path}/canary') }}}}"
    values: list[object] = [
        touch, {"key": touch, "list": [touch]}, *HOSTILE, 7, -7, True, False, None, 1.5, 1e22,
        "x" * 3000, {"k" * 2000: "v"}, [], {}, [""], {"": ""},
    ]  # fmt: skip
    items = "".join(f"      - {quoting.ansible(value)}\n" for value in values)
    # In a list: set_fact of older releases makes a truth value of the text "yes" alone.
    facts = "".join(f"        v{n}: {quoting.ansible([v])}\n" for n, v in enumerate(values))
    names = ", ".join(f"v{n}" for n in range(len(values)))
    (tmp_path / "play.yml").write_text(
        f"- hosts: {quoting.ansible('localhost')}\n  connection: local\n  gather_facts: false\n"
        f"  vars:\n    ansible_python_interpreter: {sys.executable}\n    hostile:\n{items}"
        f"  tasks:\n    - ansible.builtin.set_fact:\n{facts}"
        "    - ansible.builtin.copy:\n"
        f'        content: "{{{{ [hostile, [{names}]] | to_json }}}}"\n'
        f"        dest: {quoting.ansible(f'{tmp_path}/out')}\n"
    )
    accepted(
        python_tool("ansible-playbook", "ansible-core"),
        *("-i", "localhost,", str(tmp_path / "play.yml")),
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8"},
    )
    assert not (tmp_path / "canary").exists()
    assert json.loads((tmp_path / "out").read_text()) == [values, [[value] for value in values]]


@pytest.mark.parametrize(
    "line",
    [
        "%end", " %end", "\t%end # x", "%include /etc/passwd", "%ksappend http://x/", "%packages",
        "%post --nochroot", "%pre", "%addon x", "%onerror", "a\x85%end", "a\u2028%include x",
        "a\x0c%post", "a\r%end", "EOF",
    ],
)  # fmt: skip
def test_a_here_document_in_a_kickstart_cannot_be_left(line: str) -> None:
    with pytest.raises(quoting.QuotingError, match="would end the here-document"):
        quoting.heredoc(f"a\n{line}\nb", "EOF")


@settings(max_examples=20, deadline=None)
@given(TEXT.map(lambda text: text.replace("\0", "")))
def test_here_documents_come_back_through_pykickstart(text: str) -> None:
    try:
        body = quoting.heredoc(text, "EOF")
    except quoting.QuotingError:
        return
    section = f"cat >x <<'EOF'\n{body}\nEOF\n"
    one_line = f"echo {quoting.sh_line(text)}\n"
    handler = makeVersion("RHEL9")
    KickstartParser(handler).readKickstartFromString(
        f"%post\n{section}%end\n%post\n{one_line}%end\n"
    )
    assert [script.script for script in handler.scripts] == [section, one_line]


HOSTILE = [
    *SAMPLES, "{{ x }}", "{% x %}", "{# x #}", "!unsafe x", "yes", "null", "~", "1e3", "0x1", "1:2",
    "- a", "a: b", "# c", "*a", "&a", "---", "...", "\ufeff", "\x85", "\u202e", "\x7f", "\u2018;",
    "%include /etc/x", "%end", "%{if true}", "~}", "${~ x ~}", "<<EOF", "\\u0041", "e\u0301"[:1],
]  # fmt: skip


def test_hcl_comes_back_through_packer(tmp_path: Path) -> None:
    # One run for all: Packer takes a tenth of a second to start.
    controls = "".join(map(chr, range(1, 0x250)))
    values = [*HOSTILE, "\0", controls, 7, -7, 2**63, True, False, ["a", "${b}"], [], [["x"]]]
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
        (-3, "(-3)"),
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
    # What does not print is spelled out, so that no terminal obeys the document.
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
    assert "".join(child.content for child in inline) == shown


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_one_line_for_a_document_prints_and_holds_no_line_break(text: str) -> None:
    assert str(quoting.markdown(text)).isprintable()
    assert str(quoting.sh_line(text.replace("\0", ""))).isprintable()


def read_powershell(literal: str) -> str:
    """Read a verbatim string as about_Quoting_Rules says: a doubled quote is one, of any kind."""
    quotes = "'\u2018\u2019\u201a\u201b"
    assert literal[0] in quotes
    text, at = "", 1
    while True:
        if literal[at] not in quotes:
            text, at = text + literal[at], at + 1
        elif literal[at + 1 : at + 2] and literal[at + 1] in quotes:
            text, at = text + literal[at + 1], at + 2
        else:
            assert at == len(literal) - 1, "the string ended early"
            return text


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from("'\u2018\u2019\u201a\u201b;$`\"\n a")).map("".join))
def test_powershell_strings_come_back_by_the_documented_rule(text: str) -> None:
    assert read_powershell(quoting.powershell(text)) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hcl", "e\u0301"), ("hcl", 1.5), ("hcl", {"a": "b"}), ("hcl", None),
        ("powershell", 2**63), ("powershell", None), ("yaml", {1: "a"}), ("yaml", [{None: "a"}]),
        ("yaml", float("nan")), ("json", {1: "a", "1": "b"}), ("json", float("inf")),
        ("ansible", {True: "x"}), ("sh", {"a": 1}), ("markdown", ["a"]), ("yaml", b"x"),
    ],
)  # fmt: skip
def test_what_would_come_back_as_something_else_is_refused(name: str, value: object) -> None:
    with pytest.raises(quoting.QuotingError):
        quoting.FILTERS[name](value)


@pytest.mark.parametrize("name", ["yaml", "json", "ansible"])
def test_what_is_nested_without_end_is_refused(name: str) -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(quoting.QuotingError):
        quoting.FILTERS[name](value)


@pytest.mark.parametrize("value", [1e22, 1e-7, 0.1, -2.5e300, "x" * 3000, {"k" * 3000: {"a": 1.0}}])
def test_numbers_and_long_keys_come_back_through_yaml(value: object) -> None:
    assert pyyaml.safe_load(f"key: {quoting.yaml([value])}\n") == {"key": [value]}


@pytest.mark.parametrize("quote", [quoting.sh, quoting.sh_line, quoting.powershell])
def test_what_a_language_cannot_hold_is_refused(quote: Any) -> None:
    with pytest.raises(quoting.QuotingError):
        quote("a\0b")


@pytest.mark.parametrize("name", sorted(set(quoting.FILTERS) - {"heredoc", "yaml_block"}))
def test_bytes_that_are_not_utf_8_are_refused(name: str) -> None:
    with pytest.raises(quoting.QuotingError):
        quoting.FILTERS[name]("\udcff")


@pytest.mark.parametrize("value", ["a\nEOF\nreboot", "a\n\tEOF\nreboot", "\t\tEOF"])
def test_a_here_document_is_not_ended_by_either_kind_of_delimiter(value: str) -> None:
    with pytest.raises(quoting.QuotingError):
        quoting.heredoc(value, "EOF")
    with pytest.raises(quoting.QuotingError):
        quoting.heredoc("1\nreboot", 1)  # type: ignore[arg-type]  # as a template may write it


@pytest.mark.parametrize("indent", [0, -3, True, "4"])
def test_a_block_that_is_not_indented_would_be_yaml_of_its_own(indent: Any) -> None:
    with pytest.raises(quoting.QuotingError):
        quoting.yaml_block("a\nb: c", indent)
