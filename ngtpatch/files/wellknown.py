# SPDX-License-Identifier: Apache-2.0
"""What is the same on every NGT disc, and what ngtpatch takes for granted about all of them.

For the rooms that know NGT. ``iso/`` does not, and never imports this.
"""

__all__ = [
    "AUTHORITY",
    "AUTHORITY_NAME",
    "CERTIFICATE",
    "CERTIFICATE_NAME",
    "CONFIG",
    "CONFIG_DIRECTORY",
    "CONFIG_NAME",
    "IDENTITY_PATHS",
    "KEY",
    "KEY_NAME",
    "LABEL",
    "VM_PATHS",
    "WARN_DAYS",
]

LABEL = "NUTANIX_TOOLS"
"""The volume identifier that scripts and migration tools find the disc by."""

CONFIG_DIRECTORY = "config"
CONFIG_NAME = "ngt_config.json"
CERTIFICATE_NAME = "client-cert.pem"
KEY_NAME = "client-key.pem"
AUTHORITY_NAME = "ca-cert.pem"

CONFIG = f"{CONFIG_DIRECTORY}/{CONFIG_NAME}"
CERTIFICATE = f"{CONFIG_DIRECTORY}/{CERTIFICATE_NAME}"
KEY = f"{CONFIG_DIRECTORY}/{KEY_NAME}"
AUTHORITY = f"{CONFIG_DIRECTORY}/{AUTHORITY_NAME}"

VM_PATHS = frozenset({CERTIFICATE, CONFIG, KEY})
"""Where an image keeps what is one VM's alone."""

IDENTITY_PATHS = VM_PATHS | {AUTHORITY}
"""With the cluster's authority, which all of its VMs have. What is replaced is scrubbed."""

WARN_DAYS = 90
"""A certificate that ends within so many days is warned of, where nothing else was said."""
