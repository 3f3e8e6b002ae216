# SPDX-License-Identifier: Apache-2.0
"""Files added and removed, in every tree at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ngtpatch.errors import InputError, Refusal
from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.edit.folders import FolderEditor
from ngtpatch.iso.edit.new_entry import NewFile, NewRecords
from ngtpatch.iso.edit.placement import Placement
from ngtpatch.iso.edit.targets import Target, directory_in, edited_trees
from ngtpatch.iso.edit.udf_folders import UdfFolderEditor
from ngtpatch.iso.read.entry import TreeName, check_name
from ngtpatch.iso.read.volume import Volume

__all__ = ["Entries"]


class Entries:
    """Changes which files the directories of a draft name."""

    def __init__(self, volume: Volume, draft: Draft, placement: Placement) -> None:
        """Take the volume, the draft over it, and the placement of the same edit."""
        self._volume, self._draft, self._placement = volume, draft, placement

    def change(
        self,
        add: Mapping[str, NewFile],
        remove: Sequence[Target],
        *,
        reserve: Mapping[str, int],
    ) -> None:
        """Add and remove files; contents that other files get are written already.

        Raises:
            InputError: ``not-found``: the directory of a new file is not there.
            Refusal: ``already-there``; ``bad-name``: a tree cannot record the name;
                ``ambiguous-directory``: what the directory is called in another tree cannot
                be told; ``damaged-directory``.
        """
        for path in add:
            self._check_new(path)
        starts = {
            path: self._placement.new(file.content, reserve=reserve.get(path, 0))
            for path, file in sorted(add.items())
        }
        for tree in edited_trees(self._volume):
            if tree == "udf":
                self._change_udf(add, starts, remove)
            else:
                self._change_records(tree, add, starts, remove)

    def _check_new(self, path: str) -> None:
        for name in path.split("/"):
            check_name(name)
        primary = self._volume.entries(self._volume.primary_tree)
        folder = path.rpartition("/")[0]
        if path in primary:
            raise Refusal("already-there", "is there already, and cannot be added", path=path)
        if folder and (folder not in primary or primary[folder].kind != "directory"):
            raise InputError(
                "not-found",
                f"there is no directory {folder} to add it to in {self._volume.path}",
                path=path,
            )

    def _folder_in(self, path: str, tree: TreeName) -> str:
        folder = path.rpartition("/")[0]
        found = directory_in(self._volume, folder, tree)
        if found is None:
            raise Refusal(
                "ambiguous-directory",
                f"the name of its directory in the {tree} tree is not known",
                path=path,
            )
        return found

    def _change_records(
        self,
        tree: TreeName,
        add: Mapping[str, NewFile],
        starts: Mapping[str, int],
        remove: Sequence[Target],
    ) -> None:
        records = self._volume.records[tree]
        named = tree == self._volume.primary_tree
        maker = NewRecords(self._draft, records, named=named)
        new: dict[str, list[bytes]] = {}
        old: dict[str, set[int]] = {}
        for path, file in sorted(add.items()):
            folder = self._folder_in(path, tree)
            there = f"{folder}/{path.rpartition('/')[2]}".lstrip("/")
            new.setdefault(folder, []).append(maker.make(there, file, starts[path]))
        for target in remove:
            node = target.records.get(tree)
            if node is not None:
                folder = node.entry.path.rpartition("/")[0]
                old.setdefault(folder, set()).update(r.offset for r in node.records)
        editor = FolderEditor(self._volume, self._draft, records)
        for folder in sorted(new.keys() | old.keys()):
            editor.change(folder, add=new.get(folder, ()), remove=old.get(folder, set()))

    def _change_udf(
        self, add: Mapping[str, NewFile], starts: Mapping[str, int], remove: Sequence[Target]
    ) -> None:
        assert self._volume.udf is not None  # noqa: S101
        new: dict[str, dict[str, tuple[NewFile, int]]] = {}
        old: dict[str, set[str]] = {}
        for path, file in sorted(add.items()):
            name = path.rpartition("/")[2]
            new.setdefault(self._folder_in(path, "udf"), {})[name] = (file, starts[path])
        for target in remove:
            if target.udf is not None:
                folder, _, name = target.udf.entry.path.rpartition("/")
                old.setdefault(folder, set()).add(name)
        editor = UdfFolderEditor(self._volume, self._draft, self._placement, self._volume.udf)
        for folder in sorted(new.keys() | old.keys()):
            editor.change(folder, add=new.get(folder, {}), remove=old.get(folder, set()))
