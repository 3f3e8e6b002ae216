# SPDX-License-Identifier: Apache-2.0
"""What a user of ``render`` relies on: parameters, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngtpatch.errors import InputError, UsageError
from ngtpatch.render import find_template, render, shipped_templates

HEADER = """{#
summary = "Says a word"
[parameters.word]
type = "string"
help = "the word"
[parameters.times]
type = "integer"
default = 1
help = "how often"
[parameters.tone]
type = "choice"
choices = ["soft", "loud"]
default = "soft"
help = "how loud"
[parameters.really]
type = "boolean"
default = true
help = "whether at all"
[parameters.others]
type = "list"
default = []
help = "more words"
#}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.sh"
    path.write_text(HEADER + "say {{ word | sh }} {{ times | sh }} {{ others | sh }}\n")
    return path


def test_values_are_converted_from_text(own: Path) -> None:
    rendered = render(own, {"word": "it's", "times": "3", "others": "a, b c"})
    assert rendered == "say 'it'\"'\"'s' 3 a 'b c'\n"


def test_the_same_values_give_the_same_text() -> None:
    assert render("guest-install.sh") == render("guest-install.sh", {"check_port": "2074"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("times", "three"), ("times", True), ("tone", "shrill"), ("really", "perhaps"),
     ("others", [1]), ("word", None), ("word", ["a"])],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_the_parameter_s_help(
    own: Path, name: str, value: object
) -> None:
    with pytest.raises(UsageError) as caught:
        render(own, {"word": "w", name: value})
    assert caught.value.code == "parameter-type"
    assert name in caught.value.message
    assert caught.value.hint == find_template(own).parameters[name].help


@pytest.mark.parametrize("value", ["", []])
def test_what_must_be_given_must_not_be_empty(value: object) -> None:
    with pytest.raises(UsageError, match="vms must not be empty"):
        render("cluster-runbook.sh", {"vms": value})


def test_an_unknown_parameter_is_refused_with_the_nearest(own: Path) -> None:
    with pytest.raises(UsageError) as caught:
        render(own, {"word": "w", "tims": 1})
    assert caught.value.code == "unknown-parameter"
    assert caught.value.hint == "did you mean times?"


def test_an_unknown_template_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        render("guest-instal.sh")
    assert (caught.value.code, caught.value.hint) == (
        "no-such-template",
        "did you mean guest-install.sh?",
    )


def test_an_undefined_variable_is_named_with_its_line(own: Path) -> None:
    with pytest.raises(InputError) as caught:
        render(own)
    line = own.read_text().count("\n")
    assert caught.value.code == "template-undefined"
    assert caught.value.path == f"{own}:{line}"
    assert "'word' is undefined" in caught.value.message
    assert caught.value.hint == "give --set word=... (the word)"


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("a\n\n{% if absent %}\nb\n{% endif %}\n", 3, "template-undefined"),
        (
            "a\n{% for x in [1] %}\n{{ x | sh }}\n{{ y | sh }}\n{% endfor %}",
            4,
            "template-undefined",
        ),
        ("a\n{{ word }}\n", 2, "template-unquoted"),
        ("a\n{{ 'x' ~ (word | sh) }}\n", 2, "template-unquoted"),
        ("a\nb\n{{ {'k': 1} | sh }}\n", 3, "template-value"),
        ("a\nb\nc {% nonsense %}\n", 3, "template-syntax"),
        ("a\n{{ word | shell }}\n", 2, "template-syntax"),
        ("a\n{% include 'nowhere.sh' %}\n", 2, "template-missing"),
        ("a\n\n{{ (1 / 0) | sh }}\n", 3, "template-failed"),
        ("a\n{{ ''.__class__.__mro__ | sh }}\n", 2, "template-failed"),
    ],
)
def test_every_mistake_in_a_template_names_its_line(
    tmp_path: Path, text: str, line: int, code: str
) -> None:
    path = tmp_path / "mine.sh"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        render(path, {"word": "w"})
    assert (caught.value.code, caught.value.path) == (code, f"{path}:{line}")


def test_an_own_template_may_include_its_neighbour_and_embed_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "part.sh").write_text("part {{ label | sh }}\n")
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "{#\nincludes = ['guest-install.sh']\n#}\n"
        "{% include 'part.sh' %}\nscript: {{ script('guest-install.sh') | yaml }}\n"
    )
    rendered = render(mine, {"label": "MY DISC"})
    assert rendered.startswith("part 'MY DISC'\n")
    assert "readonly LABEL='MY DISC'" in rendered


@pytest.mark.parametrize(
    "header",
    [
        "[parameters.a\n",
        "parameters.a = 1",
        "[parameters.a]\ntype='string'",
        "[parameters.a]\ntype='text'\nhelp=''",
        "[parameters.a]\ntype='choice'\nhelp=''",
        "[parameters.a]\ntype='string'\nhelp=''\nchoices=['x']",
        "[parameters.a]\ntype='string'\nhelp=''\ndefualt='x'",
        "[parameters.a]\ntype='integer'\nhelp=''\ndefault='x'",
        "[parameters.a]\ntype='string'\nhelp=''\npattern='[a'",
        "[parameters.a]\ntype='string'\nhelp=''\npattern=1",
        "[parameters.a]\ntype='string'\nhelp=''\ndefault='b'\npattern='(?P<x>a){99999999999}'",
        "[parameters.a]\ntype='integer'\nhelp=''\npattern='a'",
        "[parameters.a]\ntype='choice'\nhelp=''\nchoices='ab'",
        "[parameters.a]\ntype='choice'\nhelp=''\nchoices=[1]",
        "[parameters.a]\ntype=['string']\nhelp=''",
        "[parameters.a]\ntype='string'\nhelp=1",
        "[[parameters]]\ntype='string'",
        "parameters = 'a'",
        "summary = 1",
        "notes = 'a'",
        "includes = 'guest-install.sh'",
        "includes = [1]",
        "includes = ['nowhere.sh']",
        "includes = ['a\\u0000b']",
        "includes = ['bad.sh']",
    ],
)
def test_a_bad_header_is_refused_with_the_template_s_name(tmp_path: Path, header: str) -> None:
    path = tmp_path / "bad.sh"
    path.write_text("{#\n" + header + "\n#}\n")
    with pytest.raises(InputError) as caught:
        find_template(path)
    assert (caught.value.code, caught.value.path) == ("template-header", str(path))


def test_templates_that_include_each_other_are_one_error(tmp_path: Path) -> None:
    for name, other in (("a.sh", "b.sh"), ("b.sh", "a.sh")):
        (tmp_path / name).write_text(f"{{#\nincludes = ['{other}']\n#}}\n")
    with pytest.raises(InputError, match="includes it again") as caught:
        find_template(tmp_path / "a.sh")
    assert caught.value.code == "template-header"


def test_a_neighbour_s_parameters_are_found_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/part.sh").write_text(
        "{#\n[parameters.word]\ntype='string'\nhelp='w'\n#}\n{{ word | sh }}\n"
    )
    (tmp_path / "there/own.sh").write_text(
        "{#\nincludes = ['part.sh']\n#}\n{% include 'part.sh' %}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert render(tmp_path / "there/own.sh", {"word": "a b"}).strip() == "'a b'"


def test_powershell_scripts_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    text = render("windows-silent.ps1", {"label": "\u00d2; x"})
    assert text.encode().startswith(b"\xef\xbb\xbf")
    own = tmp_path / "own.PS1"
    own.write_text("\ufeff$x = {{ x | powershell }}\n")
    assert render(own, {"x": "a"}) == "\ufeff$x = 'a'\n"
    assert not render("guest-install.sh").startswith("\ufeff")


def test_a_template_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        render(path)


@pytest.mark.parametrize("template", shipped_templates(), ids=lambda template: template.name)
def test_every_shipped_template_says_what_it_is_and_what_it_takes(template: object) -> None:
    assert isinstance(template, type(shipped_templates()[0]))
    assert template.summary
    assert template.parameters
    assert all(parameter.help for parameter in template.parameters.values())
    assert f"ngtpatch render {template.name}" in template.text
