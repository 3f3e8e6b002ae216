# SPDX-License-Identifier: Apache-2.0
"""What a disc must have beside an installer that accepts: its label, and its configuration.

The guest agent takes the one disc that lsblk lists with NUTANIX_TOOLS in its label. The
installer reads ``ngt_version`` from config/ngt_config.json, and exits where it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ngtpatch.errors import Refusal
from ngtpatch.files.wellknown import CONFIG, LABEL
from ngtpatch.installer.compiled import lone_compiled
from ngtpatch.installer.hazards import Hazard

if TYPE_CHECKING:
    from ngtpatch.flow.opened import OpenedSource
    from ngtpatch.iso.read.volume import Volume

__all__ = [
    "disc_hazards",
    "edit_hazards",
    "lone_notices",
    "readiness_notices",
    "require_ready",
]


def disc_hazards(tree: Mapping[str, bytes], volume: Volume | None) -> tuple[Hazard, ...]:
    """Return what will fail on any guest, whatever its Python, and whatever is patched.

    Args:
        tree: the disc's files.
        volume: the image; None for a directory, which gets the label when it is made an image.
    """
    return (*_label(volume), *_config(tree))


def require_ready(source: OpenedSource) -> None:
    """Refuse a disc from which no installation can come. Raises Refusal: ``no-config``."""
    for hazard in disc_hazards(source.tree, source.volume):
        if hazard.stops:
            raise Refusal(
                hazard.code,
                hazard.text,
                path=str(source.path),
                hint="give the ISO that the cluster mounts, or one VM's configuration",
            )


def edit_hazards(volume: Volume | None) -> tuple[Hazard, ...]:
    """Return why a rebuild refuses the image, whatever its installer could be made to do."""
    if volume is None:
        return ()
    from ngtpatch.iso.edit.image_edit import refuse_image

    try:
        refuse_image(volume)
    except Refusal as refused:
        text = f"a rebuild refuses this image, which {refused.message}; {refused.hint}"
        return (Hazard(refused.code, "", 0, text, stops=False),)
    return ()


def readiness_notices(tree: Mapping[str, bytes], volume: Volume | None) -> tuple[str, ...]:
    """Return the same in sentences, and what runs there without a source to look at."""
    return (*(one.text for one in disc_hazards(tree, volume)), *lone_notices(tree))


def lone_notices(tree: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return a sentence for each compiled file that the installer may run and nobody can read."""
    return tuple(
        f"{path} is compiled code without its source, and was not looked into"
        for path in lone_compiled(tree)
    )


def _label(volume: Volume | None) -> Iterator[Hazard]:
    if volume is None:
        return
    joliet = volume.descriptors.joliet
    labels = {
        "the disc's label": volume.volume_id,
        "the disc's label in Joliet": volume.volume_id if joliet is None else joliet.volume_id,
    }
    for which, label in labels.items():
        if label != LABEL:
            # lsblk's line need only contain it.
            who = "scripts look" if LABEL in label else "the guest agent and scripts look"
            text = f"{which} is {label!r}: {who} for {LABEL}"
            yield Hazard("label", "", 0, text, stops=False)
            return


def _config(tree: Mapping[str, bytes]) -> Iterator[Hazard]:
    if CONFIG not in tree:
        found = "there is no config/ngt_config.json"
    elif not _has_version(tree[CONFIG]):
        found = "config/ngt_config.json names no ngt_version"
    else:
        return
    yield Hazard("no-config", CONFIG, 0, f"{found}: the installer exits without it", stops=True)


def _has_version(data: bytes) -> bool:
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(config, dict) and "ngt_version" in config
