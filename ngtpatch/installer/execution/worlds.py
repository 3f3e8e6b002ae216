# SPDX-License-Identifier: Apache-2.0
"""The guests that an installer is executed for: what each says about itself."""

from __future__ import annotations

from dataclasses import dataclass

from ngtpatch.installer.subject import normalized_id

__all__ = ["PYTHONS", "World"]

#: Every Python that a guest may have, oldest first; the last stands for all that are newer.
PYTHONS: tuple[tuple[int, int], ...] = (
    *((2, minor) for minor in range(4, 8)),
    *((3, minor) for minor in range(21)),
)


@dataclass(frozen=True)
class World:
    """One guest.

    Attributes:
        name: NAME of os-release(5), in its own case.
        id: ID of os-release(5); empty where there is no os-release.
        like: ID_LIKE.
        version: VERSION_ID.
        platform: PLATFORM_ID.
        python: the Python that runs the installer; None where any may.
        plain: how the file is laid out: values without quotes where they need none, and
            PRETTY_NAME first; otherwise all quoted, and NAME first.
        lacks_distro: whether the Python package distro is missing.
    """

    name: str
    id: str = ""
    like: str = ""
    version: str = ""
    platform: str = ""
    python: tuple[int, int] | None = None
    plain: bool = False
    lacks_distro: bool = False

    @property
    def distro_id(self) -> str:
        """What distro.id() makes of the ID."""
        return normalized_id(self.id)

    @property
    def pretty(self) -> str:
        """PRETTY_NAME, as most distributions make it."""
        return f"{self.name} {self.version}".strip()

    @property
    def is_red_hat_like(self) -> bool:
        """Whether it has /etc/redhat-release."""
        return bool({self.id, *self.like.split()} & {"rhel", "centos", "fedora"}) or (
            not self.id and "suse" not in self.name.lower()
        )

    def attributes(self) -> dict[str, str]:
        """Return the keys and values of its os-release, in the order of the file."""
        found = {
            "NAME": self.name,
            "VERSION": self.version,
            "ID": self.id,
            "ID_LIKE": self.like,
            "VERSION_ID": self.version,
            "PLATFORM_ID": self.platform,
            "PRETTY_NAME": self.pretty,
        }
        if self.plain:
            found = {"PRETTY_NAME": found.pop("PRETTY_NAME"), **found}
            found["CPE_NAME"] = f"cpe:/o:{self.id}:{self.id}:{self.version}"
        return {key: value for key, value in found.items() if value}

    def os_release(self) -> tuple[str, ...]:
        """Return the lines of its os-release, each with its end."""
        lines = []
        for key, value in self.attributes().items():
            bare = self.plain and value.replace(".", "").replace(":", "").isalnum()
            lines.append(f"{key}={value}\n" if bare else f'{key}="{value}"\n')
        return tuple(lines)
