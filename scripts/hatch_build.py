# SPDX-License-Identifier: Apache-2.0
"""What the wheel's builder asks: the manual pages, where ``make man`` has made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):  # type: ignore[type-arg]
    """Puts them where pip installs what ``man`` finds: share/man/man1 of the prefix."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name them as data of the wheel."""
        for page in sorted((Path(self.root) / "docs/_build/man").glob("*.1")):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"
