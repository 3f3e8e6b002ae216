# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the guest's agent: what of a disc it takes, and whether it lets go of it.

No agent can be had here. This one judges by what is known of the agent of NGT 1.x and by
nothing else: which of the disc's lines of lsblk it looks for, which files it copies, which
values it merges and which of them it needs, when it ejects, and that its HTTPS client loads
authority, certificate and key through OpenSSL. It imports nothing of ngtpatch; the disc is
read by xorriso, as a mounted one would be.
"""

from __future__ import annotations

import json
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

CERTIFICATES = ("ca-cert.pem", "client-cert.pem", "client-key.pem")
NEEDED = ("cluster_ip", "ngt_uuid", "port")
TAKEN_IF_PRESENT = ("data_services_ip", "modify_guest_vm_configuration")
LABEL = "NUTANIX_TOOLS"


@dataclass
class Guest:
    """An installed guest: /usr/local/nutanix/config, and what the agent thinks of a disc.

    Attributes:
        config: the directory.
        log: what the agent would have logged.
        ejected: whether the last disc was let go.
    """

    config: Path
    log: list[str] = field(default_factory=list)
    ejected: bool = False

    def start(self, *discs: Path) -> bool:
        """Start the agent with *discs* attached; say whether it can talk to the cluster."""
        self.log.clear()
        self.ejected = False
        labelled = [disc for disc in discs if LABEL in volume_id(disc)]
        if len(labelled) != 1:
            self.log.append(f"{len(labelled)} discs are labelled {LABEL}")
        else:
            self._update(labelled[0])
        return self.connects()

    def connects(self) -> bool:
        """Load what the agent's HTTPS client loads, as it does."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(self.config / "ca-cert.pem")
            context.load_cert_chain(self.config / "client-cert.pem", self.config / "client-key.pem")
        except (OSError, ssl.SSLError) as error:
            self.log.append(f"no client: {type(error).__name__}")
            return False
        # The cluster's service lets in whom its own authority has issued a certificate.
        verified = subprocess.run(
            ["openssl", "verify", "-CAfile", self.config / "ca-cert.pem",
             self.config / "client-cert.pem"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if verified.returncode:
            self.log.append("the cluster refuses the certificate: " + verified.stderr[-200:])
        return verified.returncode == 0 and self._configured()

    def _configured(self) -> bool:
        try:
            values = json.loads((self.config / "ngt_config.json").read_text())
            return all(key in values for key in NEEDED) and int(values["port"]) > 0
        except (OSError, ValueError):
            return False

    def _update(self, disc: Path) -> None:
        for name in CERTIFICATES:
            data = read(disc, f"/config/{name}")
            if data is not None:
                (self.config / name).write_bytes(data)
        text = read(disc, "/config/ngt_config.json")
        offered = json.loads(text) if text else {}
        if any(key not in offered for key in NEEDED):
            # After the certificates were copied: they stay.
            self.log.append("the disc's configuration lacks a value: nothing was merged")
        else:
            own = self.config / "ngt_config.json"
            values = json.loads(own.read_text()) if own.exists() else {}
            taken = [*NEEDED, *(key for key in TAKEN_IF_PRESENT if key in offered)]
            values.update({key: offered[key] for key in taken})
            values["port"] = int(values["port"])
            own.write_text(json.dumps(values))
        self._let_go(disc, offered)

    def _let_go(self, disc: Path, offered: dict[str, object]) -> None:
        version = offered.get("ngt_version")
        if version is None:
            self.log.append("the disc has no ngt_version: it stays for ever")
            return
        own = self.config / "ngt_config.json"
        installed = json.loads(own.read_text()).get("ngt_version") if own.exists() else None
        self.ejected = version == installed or not has_directory(disc, "/installer")


def installed(root: Path, disc: Path) -> Guest:
    """Return a guest that NGT was installed on from *disc*: all of its config/ was copied."""
    root.mkdir()
    subprocess.run(
        ["xorriso", "-osirrox", "on", "-indev", disc, "-extract", "/config", root / "config"],
        check=True, capture_output=True,
    )  # fmt: skip
    for file in (root / "config").iterdir():
        file.chmod(0o600)
    return Guest(root / "config")


def volume_id(disc: Path) -> str:
    """Return the label by which the agent finds a disc."""
    with disc.open("rb") as file:
        file.seek(16 * 2048 + 40)
        return file.read(32).decode("ascii", "replace").strip()


def read(disc: Path, path: str) -> bytes | None:
    """Return a file of the disc; None where there is none."""
    target = disc.with_name(f".{disc.name}.read")
    target.unlink(missing_ok=True)
    run = subprocess.run(
        ["xorriso", "-osirrox", "on", "-indev", disc, "-extract", path, target],
        capture_output=True, check=False,
    )  # fmt: skip
    if run.returncode or not target.exists():
        return None
    data = target.read_bytes()
    target.chmod(0o600)
    target.unlink()
    return data


def has_directory(disc: Path, path: str) -> bool:
    """Say whether the disc has a directory."""
    run = subprocess.run(
        ["xorriso", "-indev", disc, "-find", path, "-type", "d", "-maxdepth", "0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return run.returncode == 0 and path in run.stdout
