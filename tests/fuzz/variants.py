# SPDX-License-Identifier: Apache-2.0
"""Installers in every dress: a hypothesis strategy for files that decide by distribution.

Each variant is run for real (:func:`outcome`), with stubs for what it asks and
for what it would install: the second route to what the model says.
"""

from __future__ import annotations

import builtins
import io
import textwrap
import types
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

__all__ = ["Variant", "outcome", "variants"]

# How the subject is obtained: imports, statements that bind {name}, and what it holds.
SUBJECTS: dict[str, tuple[str, str, str]] = {
    "platform": ("import platform", "{name} = platform.linux_distribution()[0].lower()", "name"),
    "distro": ("import distro", "{name} = distro.linux_distribution()[0].lower()", "name"),
    "aliased": ("import distro as _d", "{name} = _d.linux_distribution()[0].lower()", "name"),
    "from": (
        "from distro import linux_distribution as asked",
        "{name} = asked()[0].lower()",
        "name",
    ),
    "two steps": ("import distro", "{name} = distro.name()\n{name} = {name}.lower()", "name"),
    "unpacked": (
        "import platform",
        "{name}, version, _ = platform.linux_distribution()\n{name} = {name}.strip().lower()",
        "name",
    ),
    "tuple kept": (
        "import distro",
        "facts = distro.linux_distribution()\n{name} = facts[0].lower()",
        "name",
    ),
    "fallback": (
        "import distro",
        'try:\n    {name} = distro.name().lower()\nexcept Exception:\n    {name} = ""',
        "name",
    ),
    "case kept": ("import distro", "{name} = distro.name()", "kept"),
    "id": ("import distro", "{name} = distro.id()", "id"),
    "os-release": (
        textwrap.dedent(
            """\
            def read_os_release():
                values = {}
                with open("/etc/os-release") as lines:
                    for line in lines:
                        key, _, value = line.strip().partition("=")
                        values[key] = value.strip('"')
                return values
            """
        ),
        '{name} = read_os_release()["NAME"].lower()',
        "name",
    ),
    "os-release line": (
        textwrap.dedent(
            """\
            def read_name():
                for line in open("/etc/os-release"):
                    if line.startswith("NAME="):
                        return line.split("=", 1)[1].strip().strip('"').lower()
                return ""
            """
        ),
        "{name} = read_name()",
        "name",
    ),
}
NEEDLES = {
    "name": {
        "redhat": ["centos", "oracle linux server", "redhatenterpriseserver", "red hat"],
        "ubuntu": ["ubuntu"],
        "suse": ["suse"],
        "other": ["debian"],
    },
    "id": {
        "redhat": ["centos", "oracle", "rhel"],
        "ubuntu": ["ubuntu"],
        "suse": ["suse", "sles"],
        "other": ["debian"],
    },
    "kept": {
        "redhat": ["CentOS", "Oracle Linux Server", "Red Hat"],
        "ubuntu": ["Ubuntu"],
        "suse": ["SUSE"],
        "other": ["Debian"],
    },
}
LAYOUTS = (
    "one line",
    "lines",
    "pairs",
    "leading",
    "backslashes",
    "wrapped",
    "own lines",
    "comments everywhere",
    "broken operands",
)
# What must never keep a chain from being patched, and what may.
HARMLESS = (
    "plain",
    "tokens in strings",
    "chain on something else",
    "chain inside a branch",
    "mixed operands",
    "check that logs",
    "same name elsewhere",
    "rows of returns",
    "closure",
)
DECOYS = (
    "and",
    "equals",
    "any",
    "startswith",
    "membership",
    "not in",
    "version",
    "stopping check",
    "list of the allowed",
    "second chain",
    "rebound",
    "unknown origin",
    "caught before",
    "two branches",
    "parameter",
    "opaque operand",
    "fallen through",
    "check that acts",
    "gives up",
    "module hidden",
    "cut short",
    "rebound in a loop",
    "rebound by a handler",
    "rebound later",
)
PLACES = ("function", "nested", "main", "try", "method", "module")
_START, _END = "\x01", "\x02"  # around the header that is to be extended


@dataclass(frozen=True)
class Variant:
    """One generated file.

    Attributes:
        data: its bytes.
        kind: what is special about it.
        label: everything it was made of, for a failure's message.
        field: what its subject holds: ``name``, ``kept`` (a name in its own case) or ``id``.
        chain: first and last line of the header that leads to Red Hat's installer.
        must_patch: whether a refusal would be a fault.
    """

    data: bytes
    kind: str
    label: str
    field: str
    chain: tuple[int, int]
    must_patch: bool


class _Maker:
    """Draws one installer's parts. All text is indented by 4 until it is dressed."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.kind = self.pick(HARMLESS + DECOYS)
        self.source = self.pick(tuple(SUBJECTS))
        self.place = self.pick(PLACES)
        self.layout = self.pick(LAYOUTS)
        self.quote = self.pick(('"', "'"))
        self.comments = self.maybe()
        self.calls = self.maybe()
        self.name = self.pick(("distribution", "distro_name", "d", "dist"))
        self.imports, self.binding, self.field = SUBJECTS[self.source]
        if self.kind == "rows of returns":
            self.place = self.pick(("function", "nested", "method"))

    def pick(self, values: Sequence[str]) -> str:
        return self._draw(st.sampled_from(values))

    def maybe(self) -> bool:
        return self._draw(st.booleans())

    def some(self, values: Sequence[str]) -> list[str]:
        shuffled = list(self._draw(st.permutations(values)))
        return shuffled[: self._draw(st.integers(1, len(shuffled)))]

    # Tests -----------------------------------------------------------------------------------

    def text(self, needle: str) -> str:
        return f"{self.quote}{needle}{self.quote}"

    def operand(self, needle: str) -> str:
        return f"{self.text(needle)} in {self.name}"

    def redhat(self, needles: Sequence[str]) -> str:  # noqa: PLR0911 - one a kind
        """Return the test of the branch for Red Hat, without its keyword and colon."""
        listed = ", ".join(map(self.text, needles))
        match self.kind:
            case "and":
                return f"({self.either(needles)}) and {self.text('beta')} not in {self.name}"
            case "equals":
                return " or ".join(f"{self.name} == {self.text(one)}" for one in needles)
            case "any":
                return f"any(token in {self.name} for token in ({listed},))"
            case "startswith":
                return f"{self.name}.startswith(({listed},))"
            case "membership":
                return f"{self.name} in ({listed},)"
            case "not in":
                return " or ".join(f"not {self.text(one)} not in {self.name}" for one in needles)
            case "version":
                return f"({self.either(needles)}) and ready()"
            case "opaque operand":
                return f"{self.either(needles)} or is_like_redhat()"
            case "mixed operands":
                extra = [f"{self.name} == {self.text('xenenterprise')}"]
                extra += [f"{self.name}.startswith({self.text('centos ')})"]
                return self.laid_out([*map(self.operand, needles), *extra[: 1 + self.maybe()]])
        return self.either(needles)

    def either(self, needles: Sequence[str]) -> str:
        return self.laid_out([self.operand(one) for one in needles])

    def laid_out(self, operands: Sequence[str]) -> str:  # noqa: PLR0911 - one a layout
        why = "  # for a reason" if self.comments else ""
        if len(operands) == 1 and self.layout not in ("comments everywhere", "broken operands"):
            return operands[0] if self.layout != "pairs" else f"({operands[0]})"
        match self.layout:
            case "lines":
                return "(" + f" or{why}\n        ".join(operands) + ")"
            case "pairs":
                return " or ".join(f"({one})" for one in operands)
            case "leading":
                return f"(\n        {f'{why}{chr(10)}        or '.join(operands)}\n    )"
            case "backslashes":
                return " or \\\n        ".join(operands)
            case "wrapped":
                lines = [" or ".join(operands[i : i + 2]) for i in range(0, len(operands), 2)]
                return "(" + " or\n        ".join(lines) + ")"
            case "comments everywhere":
                between = " or  # (or so\n        # ) what follows\n\n        "
                return f"(  # if\n        {between.join(operands)}  # last\n        # end\n    )  "
            case "broken operands":
                broken = [one.replace(" in ", "  in  # (\n            ") for one in operands]
                return "((" + "\n        or ".join(broken) + "\n))"
            case "own lines":
                own = "        # the next one\n" if self.comments else ""
                return "(\n" + " or\n".join(f"{own}        {one}" for one in operands) + ")"
        return " or ".join(operands)

    # Branches --------------------------------------------------------------------------------

    def action(self, family: str) -> list[str]:
        if family == "other":
            return ["log('not yet')"]
        title = family.capitalize()
        if self.kind == "rows of returns":
            call = f"return uninstall_ngt_daemon_{family}()"
        else:
            call = f"uninstall_ngt_daemon_{family}()"
        if self.calls:
            return [call]
        if self.kind == "gives up" and family == "redhat":
            return [f"from {family}_installer import {title}Installer", "sys.exit(1)"]
        lines = [f"from {family}_installer import {title}Installer as LinuxInstaller"]
        return lines if self.kind != "rows of returns" else [*lines, "return LinuxInstaller()"]

    def chain(self) -> list[str]:
        """Return the whole chain as lines."""
        needles = {key: list(one) for key, one in NEEDLES[self.field].items()}
        needles["redhat"] = self.some(needles["redhat"])
        if self.maybe():
            needles["redhat"] += needles.pop("suse")
        families = [one for one in needles if one in ("redhat", "ubuntu") or self.maybe()]
        families = list(self._draw(st.permutations(families)))
        lines: list[str] = []
        if self.kind == "caught before":
            lines += [f"if {self.text('rocky')} in {self.name}.lower():", "    log('later')"]
        for family in families:
            test = (
                self.redhat(needles["redhat"])
                if family == "redhat"
                else self.either(needles[family])
            )
            rows = self.kind == "rows of returns"
            keyword = "elif" if lines and not rows else "if"
            header = f"{keyword} {test}:"
            if family == "redhat":
                header = _START + header + _END
            if self.comments:
                lines += ["# what follows was asked for"] if keyword == "if" else []
            lines += header.split("\n")
            lines += [f"    {line}" for line in self.action(family)]
            if family == "redhat" and self.kind == "chain inside a branch":
                lines += [f"    if {self.text('oracle')} in {self.name}:", "        log('UEK')"]
            if family == "redhat" and self.kind == "two branches":
                lines += [f"elif {self.text('scientific')} in {self.name}:"]
                lines += ["    log('by hand')", "    uninstall_ngt_daemon_redhat()"]
        return lines + self.rest()

    def rest(self) -> list[str]:
        if self.kind == "fallen through":
            return []
        refuse = ["log('Unsupported distribution')", "sys.exit(1)"]
        if self.kind == "rows of returns":
            return refuse
        return ["else:", *(f"    {line}" for line in refuse)]

    def body(self) -> list[str]:  # noqa: PLR0912 - one a kind
        """Return what finds the distribution and decides."""
        binding = self.binding.format(name=self.name).split("\n")
        before: list[str] = []
        after: list[str] = []
        stop = ["    log('no')", "    sys.exit(1)"]
        match self.kind:
            case "chain on something else":
                before = [f"hypervisor = {self.text('ahv on centos')}"]
                before += [f"if {self.text('centos')} in hypervisor or 'red hat' in hypervisor:"]
                before += ["    log('nested')"]
            case "check that logs":
                before = [f"if {self.text('fedora')} in {self.name}:", "    log('fedora')"]
            case "stopping check":
                before = [
                    f"if {self.text(self.pick(('Rocky', 'rocky', 'fedora')))} in {self.name}:"
                ]
                before += stop
            case "list of the allowed":
                allowed = ", ".join(map(self.text, NEEDLES[self.field]["redhat"]))
                before = [f"if not any(one in {self.name} for one in ({allowed},)):", *stop]
            case "rebound":
                before = [f"{self.name} = hypervisor_of({self.name})"]
            case "rebound in a loop":
                before = [f"for {self.name} in ('centos', {self.name}[:0]):", "    pass"]
            case "rebound by a handler":
                before = ["try:", "    int('x')", f"except ValueError as {self.name}:"]
                before += ["    pass", f"{self.name} = 'ahv'"]
            case "check that acts":
                listed = " or ".join(map(self.operand, NEEDLES[self.field]["redhat"]))
                before = ["prefix = '/opt'", f"if {listed}:", "    prefix = '/usr'"]
            case "module hidden":
                binding = ["class distro: name = staticmethod(lambda: 'rocky linux')"]
                binding += [f"{self.name} = distro.name().lower()"]
            case "cut short":
                before = [f"{self.name} = {self.name}.strip('ey')[2:]"]
            case "unknown origin":
                binding = [f"{self.name} = asked_of_somebody()"]
            case "second chain":
                after = ["if 'rocky' in asked_of_somebody():", "    uninstall_ngt_daemon_redhat()"]
                if self.maybe():
                    after[0] = f"if {self.operand('centos')}:"
        return [*binding, *before, *self.chain(), *after]

    # The file --------------------------------------------------------------------------------

    def file(self) -> str:
        lines = ['"""Decides."""', "import sys", *self.imports.rstrip().split("\n")]
        if self.kind == "tokens in strings":
            lines += [
                'TEXT = "centos, red hat and rocky linux"',
                '"""',
                "if 'centos' in x or",
                '"""',
            ]
        for family in ("redhat", "ubuntu", "suse"):
            lines += [f"def uninstall_ngt_daemon_{family}():", f"    done('{family}')"]
        if self.kind == "same name elsewhere":
            lines += [f"def unrelated({self.name}):", f"    return 'centos' + {self.name}"]
        lines += self.placed()
        return "\n".join(lines) + "\n"

    def placed(self) -> list[str]:  # noqa: PLR0911 - one a place
        body = self.body()

        def deeper(lines: Sequence[str]) -> list[str]:
            return [f"    {line}" if line.strip() else line for line in lines]

        if self.kind == "parameter":
            binding, chain = body[: self.binding.count("\n") + 1], self.chain()
            define = [f"def get_linux_installer({self.name}):", *deeper(chain)]
            return [*define, *binding, f"get_linux_installer({self.name})"]
        if self.kind in ("closure", "rebound later"):
            binding, chain = body[: self.binding.count("\n") + 1], self.chain()
            later = [f"{self.name} = 'ahv'"] if self.kind == "rebound later" else []
            define = ["def get_linux_installer():", *deeper(chain)]
            return [*binding, *define, *later, "get_linux_installer()"]
        match self.place:
            case "function":
                return ["def get_linux_installer():", *deeper(body), "get_linux_installer()"]
            case "nested":
                inner = ["def choose():", *deeper(body), "return choose()"]
                return ["def get_linux_installer():", *deeper(inner), "get_linux_installer()"]
            case "main":
                return ["if __name__ == '__main__':", *deeper(body)]
            case "try":
                return ["try:", *deeper(body), "except ValueError:", "    pass"]
            case "method":
                method = ["def choose(self):", *deeper(body)]
                return ["class Factory(object):", *deeper(method), "Factory().choose()"]
        return body

    def variant(self) -> Variant:
        text = self.file()
        unit = self.pick(("    ", "  ", "\t"))
        encoding = self.pick(("utf-8", "utf-8", "bom", "latin-1"))
        newline = self.pick(("\n", "\n", "\r\n"))
        lines = [_indented(line, unit) for line in text.split("\n")]
        if encoding == "latin-1":
            lines.insert(0, "# -*- coding: latin-1 -*-\u00e9")
        elif self.maybe():
            lines.insert(0, "# \u00e9\u6f22")
        first = next(number for number, line in enumerate(lines, 1) if _START in line)
        last = next(number for number, line in enumerate(lines, 1) if _END in line)
        joined = newline.join(lines).replace(_START, "").replace(_END, "")
        codec = "utf-8-sig" if encoding == "bom" else encoding
        parts = (self.kind, self.source, self.place, self.layout, encoding, repr(newline))
        return Variant(
            data=joined.encode(codec),
            kind=self.kind,
            label=", ".join(parts),
            field=self.field,
            chain=(first, last),
            must_patch=self.kind in HARMLESS,
        )


def _indented(line: str, unit: str) -> str:
    text = line.lstrip(" " + _START)
    lead = line[: len(line) - len(text)]
    steps, spaces = divmod(lead.count(" "), 4)
    return unit * steps + " " * spaces + lead.replace(" ", "") + text


@st.composite
def variants(draw: st.DrawFn) -> Variant:
    """Draw an installer."""
    return _Maker(draw).variant()


class Stopped(Exception):
    """The installer gave up."""


def outcome(code: types.CodeType, name: str, identifier: str) -> str:
    """Run an installer on a distribution and return the branch it took."""
    taken: list[str] = []

    def done(family: str) -> None:
        taken.append(family)

    platform = types.SimpleNamespace(linux_distribution=lambda: (name, "9.4", ""))
    distro = types.SimpleNamespace(
        linux_distribution=lambda: (name, "9.4", ""),
        name=lambda: name,
        id=lambda: {"ol": "oracle"}.get(identifier, identifier),
    )
    modules: dict[str, object] = {
        "platform": platform,
        "distro": distro,
        "sys": types.SimpleNamespace(exit=_give_up),
    }

    def load(module: str, *rest: object) -> object:
        if module in modules:
            return modules[module]
        family = module.removesuffix("_installer")
        done(family)
        title = f"{family.capitalize()}Installer"
        return types.SimpleNamespace(**{title: object})

    scope = {
        "__name__": "__main__",
        "__builtins__": {**vars(builtins), "__import__": load},
        "open": lambda path: io.StringIO(f'ID={identifier}\nNAME="{name}"\n'),
        "log": lambda text: None,
        "done": done,
        "ready": lambda: True,
        "is_like_redhat": lambda: False,
        "hypervisor_of": lambda text: "ahv",
        "asked_of_somebody": lambda: "rocky linux",
    }
    try:
        exec(code, scope)  # noqa: S102 - the generated installer
    except Stopped:
        return "unsupported"
    return "+".join(taken) or "unsupported"


def _give_up(status: int) -> None:
    raise Stopped(status)
