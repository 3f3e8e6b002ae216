# SPDX-License-Identifier: Apache-2.0
"""Imports: modules of the disc are executed, Python's own are what their model says."""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from collections.abc import Mapping, Sequence

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution import library, natives
from ngtpatch.installer.execution.disc_files import DISC, DiscFiles
from ngtpatch.installer.execution.frames import Frame, Thrown, Trial
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.machine import Statements
from ngtpatch.installer.execution.objects import (
    ClassObject,
    Container,
    External,
    ModuleObject,
    NameStore,
)
from ngtpatch.installer.execution.syntax_age import oldest_python
from ngtpatch.installer.execution.varied import NOTHING, Plain, Varied
from ngtpatch.installer.execution.worlds import PYTHONS, World
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.python_source import parse

__all__ = ["Machine"]

_LOADED = "\x00loaded"
# What a file holds that asks for the distribution or names one.
_ASKS = re.compile(
    rb"linux_distribution|\bdistro\b|os-release|centos|red ?hat|ubuntu|suse|rocky|almalinux", re.I
)


def _futures(tree: ast.Module) -> set[str]:
    return {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    }


class Machine(Statements):
    """An execution of one program of a tree, for all *worlds* at once."""

    def __init__(self, tree: Mapping[str, bytes], worlds: Sequence[World], *, steps: int) -> None:
        super().__init__(worlds, steps=steps)
        self.tree = tree
        self.disc = DiscFiles(tree)
        self.called = set()
        self.gave = {}
        self._yielding = {}
        self._own = {}
        self.exposed = {}
        self._calling_back = set()
        self._called_at = {}
        self._kept_alive = []
        #: Files of the disc that something unknown was given the names of.
        self.started: set[str] = set()
        self.handling: list[list[Thrown]] = []
        self.external_store = NameStore()
        self.modules: dict[str, ModuleObject] = {}
        #: Files that could not be read, and why.
        self.unread: dict[str, Refusal] = {}
        self._libraries: dict[str, ModuleObject] = {}
        self._folders: list[str] = []
        #: Folders that the program looks into before its own, and after.
        self._before: list[str] = []
        self._after: list[str] = []
        #: Whether it also looks into some that are not known.
        self._elsewhere = False
        #: Whether modules may come out of an archive, which is not looked into.
        self._archived = False
        self.trials.append(Trial())

    # NameStore ---------------------------------------------------------------------------------

    def built_in(self, name: str) -> Varied:
        """Return one of Python's own names, on the guests whose Python has it."""
        error = natives.as_error(name)
        value = natives.BUILT_IN.get(name, NOTHING) if error is None else Varied.of(error)
        if name in natives.ONLY_PYTHON_2:
            return value.within(self.where(lambda world: (world.python or (2, 7)) < (3,)))
        if name in natives.ONLY_PYTHON_3:
            return value.within(self.where(lambda world: (world.python or (3, 6)) >= (3,)))
        if name == "__file__":
            path = self.frames[-1].module.path
            return unknown(tainted=False) if path is None else Varied.of(DISC + path)
        if name == "__builtins__" and self.of_python:
            # In a module that was imported it is their dictionary instead.
            main = self.frames[-1].module.name == "__main__"
            return Varied.of(self.library("builtins") if main else External(name, tainted=True))
        if name in ("__path__", "__spec__", "__loader__", "__package__"):
            return unknown(tainted=False)
        return value

    def is_python_s(self, name: str) -> bool:
        """Tell whether some Python has *name* by itself."""
        return name in natives.ONLY_PYTHON_2 or name in natives.ONLY_PYTHON_3

    def error_class(self, name: str) -> ClassObject:
        """Return the class of one of Python's own exceptions."""
        found = natives.as_error(name) or natives.as_error("Exception")
        assert found is not None  # noqa: S101 - Exception is one
        return found

    def of_model(self, owner: ModuleObject, name: str) -> Varied:
        """Return what a modelled module has under *name*, or a submodule of the tree."""
        if owner.is_external:
            return library.of_library(self, owner, name)
        inner = self._file_of(f"{owner.name}.{name}", owner.path or "")
        return NOTHING if inner is None else self._loaded(inner, f"{owner.name}.{name}")

    def library(self, name: str) -> ModuleObject:
        """Return a modelled module."""
        if name not in self._libraries:
            self._libraries[name] = ModuleObject(name, None, is_external=True)
        return self._libraries[name]

    # OpenUse -------------------------------------------------------------------------------

    def start(self, path: str) -> None:
        """Execute the file at *path* as the program that is started."""
        self._folders = [posixpath.dirname(path)]
        module = ModuleObject("__main__", path)
        self.modules[path] = module
        self._run_module(module)

    def enter(self, module: ModuleObject) -> None:
        """Go on in *module*, as its own code would."""
        self.frames.append(Frame(module, "", module.store, trials=len(self.trials)))

    def leave(self) -> None:
        """End what :meth:`enter` began."""
        self.frames.pop()

    def load(self, path: str) -> ModuleObject | None:
        """Execute the file at *path* as a module; None where it cannot be read."""
        if not self._folders:
            self._folders = [posixpath.dirname(path)]
        name = posixpath.basename(path).removesuffix(".py")
        self._loaded(path, name)
        return None if path in self.unread else self.modules.get(path)

    def import_module(self, name: str, level: int) -> Varied:
        """Return a module. Raises ImportError on the guests that have none of this name."""
        top = name.partition(".")[0]
        if not level and top == "distro":
            lacking = self.where(lambda world: world.lacks_distro) & self.mask
            if lacking:
                self.without_distro.add(self.place)
            self._not_found(name, lacking)
        if not level and (name in library.MODELLED or top == "distro"):
            return Varied.of(self.library(name))
        if not level and top in library.BUNDLED:
            self.perhaps()
            return Varied.of(External(name))
        here = self.frames[-1].module.path or ""
        path = self._file_of(name, here, level)
        if path is not None:
            return self._loaded(path, name)
        if not level and name in library.MODELLED_IF_PYTHON_S:
            return Varied.of(self.library(name))
        self._missing(name)
        if self.of_python and name in ("builtins", "__builtin__"):
            return Varied.of(self.library("builtins"))
        return Varied.of(External(name))

    def _missing(self, name: str) -> None:
        """Raise ImportError where Python itself has no such module."""
        names = {name, name.partition(".")[0]}

        def lacks(world: World) -> bool:
            python = world.python
            if python is None:
                return False
            gone = min((library.GONE[one] for one in names if one in library.GONE), default=None)
            return bool(
                (python >= (3,) and names & library.ONLY_2)
                or (python < (3,) and names & library.ONLY_3)
                or (gone is not None and python >= gone)
            )

        self._not_found(name, self.where(lacks))
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and not names & (library.ONLY_2 | set(library.GONE)):
            if self._archived:
                self.note("dynamic")
            self.perhaps()

    def _not_found(self, name: str, guests: int) -> None:
        # It is an ImportError, and on an unknown Python may be caught by its own name as well.
        old = self.where(lambda world: (world.python or PYTHONS[-1]) < (3, 6))
        self.throw_named("ImportError", guests & old, name)
        self.throw_named("ModuleNotFoundError", guests & ~old, name)

    def import_by_name(self, name: Plain) -> Varied:
        """Return the module whose name was computed."""
        if not isinstance(name, str) or not name:
            self.note("dynamic")
            return unknown(tainted=True)
        if name in library.MODELLED or name.partition(".")[0] in sys.stdlib_module_names:
            return self.import_module(name, 0)
        path = self._file_of(name, self.frames[-1].module.path or "")
        if path is None:
            self._not_found(name, self.mask)
            return NOTHING
        return self._loaded(path, name)

    def _file_of(self, name: str, importer: str, level: int = 0) -> str | None:
        parts = name.split(".") if name else []
        if level:
            folder = importer
            for _ in range(level):
                folder = posixpath.dirname(folder)
            folders = [folder]
        else:
            own = [posixpath.dirname(importer), *self._folders, ROOT.rstrip("/"), ROOT + "src"]
            folders = [*self._before, *own, *self._after]
            if self._elsewhere and parts and self._are_several("/".join(parts)):
                self.note("dynamic")
        for folder in dict.fromkeys(folders):
            base = posixpath.join(folder, *parts)
            for path in (f"{base}.py", f"{base}/__init__.py", f"{base}.pyc"):
                if path in self.tree:
                    return path
            if parts and any(path.startswith(f"{base}/") for path in self._python_files):
                return base
        return None

    def _are_several(self, module: str) -> bool:
        """Tell whether different files of the tree may be meant by the name of a module."""
        return len({
            self.tree[path] for path in self._python_files
            if path.endswith((f"/{module}.py", f"/{module}/__init__.py"))
        }) > 1  # fmt: skip

    def change_path(self, how: str, args: Sequence[Varied]) -> None:
        """Note that modules are looked for in other folders from now on."""
        places = [one for value in args for _, one in value.each(self.mask) if type(one) is str]
        known = len(places) == 1 and places[0].startswith("/") and self.mask == self.everyone
        if how not in ("insert", "append", "addsitedir") or not known:
            self._elsewhere = True
        elif places[0].startswith(DISC):
            folder = posixpath.normpath(places[0].removeprefix(DISC))
            self._archived = self._archived or folder in self.tree
            (self._before if how == "insert" else self._after).insert(0, folder)

    @property
    def _python_files(self) -> Sequence[str]:
        if self._files is None:
            self._files = [path for path in self.tree if path.endswith(".py")]
        return self._files

    _files: Sequence[str] | None = None

    def _loaded(self, path: str, name: str) -> Varied:
        module = self.modules.get(path)
        if module is None:
            module = self.modules[path] = ModuleObject(name, path)
        missing = self.mask & ~module.store.get(_LOADED).mask
        if path.endswith(".pyc"):
            self.unread[path] = Refusal("unparsable", "is compiled, and has no source", path=path)
        elif missing and path not in self.tree:
            self.write(module.store, _LOADED, Varied.of(True), missing)
        elif missing:
            here = self.mask
            self.mask = missing
            self._run_module(module)
            self.mask |= here & ~missing
        if path in self.unread:
            self.perhaps()
            return Varied.of(External(name))
        return Varied.of(module)

    def _run_module(self, module: ModuleObject) -> None:
        path = module.path or ""
        self.write(module.store, _LOADED, Varied.of(True))
        try:
            source = parse(path, self.tree[path])
        except Refusal as refusal:
            self.unread[path] = refusal
            return
        tree = source.tree
        if source.translated is not None:
            module.only_2 = True
            # Python 3 does not read it: who imports it may be told so.
            python3 = self.where(lambda world: (world.python or (3,)) >= (3,))
            self.trials[-1].perhaps |= self.mask & python3
        oldest = oldest_python(source)
        module.only_3 = oldest >= (3, 0)
        module.is_new = oldest >= (3, 8)
        module.divides = "division" in _futures(tree)
        if self.of_python:
            too_old = self.where(lambda world: (world.python or oldest) < oldest)
            self.throw_named("SyntaxError", too_old, path)
        self.write(module.store, "__name__", Varied.of(module.name))
        self.write(module.store, "__file__", Varied.of(DISC + path))
        line, depth, self.depth = self.line, self.depth, 0
        self.frames.append(Frame(module, "", module.store, trials=len(self.trials)))
        try:
            self.execute(tree.body)
        finally:
            self.frames.pop()
            self.line, self.depth = line, depth

    @staticmethod
    def asks_for_distribution(data: bytes) -> bool:
        """Tell whether a file that cannot be read names a distribution or asks for it."""
        return _ASKS.search(data) is not None

    def may_start(self, text: str) -> None:
        """Note the program of the disc that *text* names: a path, or a module after ``-m``."""
        if len(text) > 512 or not text or "\n" in text:
            return
        here = posixpath.dirname(self.frames[-1].module.path or "")
        for word in dict.fromkeys((text, *text.split())):
            if word.startswith(DISC):
                places = [word.removeprefix(DISC)]
            else:
                places = [posixpath.join(one, word) for one in (here, *self._folders)]
                if word.isidentifier():
                    places += [f"{one}.py" for one in places]
            for place in places:
                path = posixpath.normpath(place)
                stem = posixpath.basename(path).partition(".")[0]
                decides = stem not in library.MODELLED and stem not in library.BUNDLED
                if decides and path in self.tree and path not in self.modules:
                    self.started.add(path)

    def _listed(self, module: ModuleObject) -> frozenset[str] | None:
        """Return the names in a module's ``__all__``; None where it has none that is known."""
        for mask, one in module.store.get("__all__").each(self.mask):
            rows = one
            if isinstance(one, Container):
                rows = next((items for _, items in one.store.get("items").each(mask)), None)
            if isinstance(rows, tuple) and all(isinstance(name, str) for name in rows):
                return frozenset(rows)
            self.note("dynamic")
        return None

    # From ... import -----------------------------------------------------------------------

    def imported_name(self, module: Varied, name: str, level: int, wanted: str) -> Varied:
        """Return what ``from module import wanted`` gives."""
        full = f"{name}.{wanted}" if name else wanted
        if not level and full in library.MODELLED:
            return Varied.of(self.library(full))

        def one(each: Plain) -> Varied:
            if isinstance(each, ModuleObject) and not each.is_external:
                own = each.store.get(wanted).within(self.mask)
                absent = self.mask & ~own.mask
                if absent:
                    inner = self._file_of(full, self.frames[-1].module.path or "", level)
                    if inner is None:
                        self.throw_named("ImportError", absent, wanted)
                        return own
                    found = self.under(absent, lambda: self._loaded(inner, full))
                    return self.gather((*own.groups, *found.groups))
                return own
            return self.attribute(Varied.of(each), wanted)

        return self.dispatch(module, one)

    def import_all(self, module: Varied) -> None:
        """Bind every public name of a module here."""
        frame = self.frames[-1]
        for _, one in module.each(self.mask):
            if not isinstance(one, ModuleObject) or one.is_external:
                continue
            listed = self._listed(one)
            for name, value in list(one.store.slots.items()):
                public = isinstance(name, str) and not name.startswith(("_", "\x00"))
                if name in listed if listed is not None else public:
                    self.write(frame.local, name, value.within(self.mask), value.mask & self.mask)
