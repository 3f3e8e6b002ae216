# SPDX-License-Identifier: Apache-2.0
"""Where an image keeps a VM's identity."""

__all__ = ["CERTIFICATE", "CONFIG", "DIRECTORY", "KEY", "PATHS"]

DIRECTORY = "config"
CONFIG = "config/ngt_config.json"
CERTIFICATE = "config/client-cert.pem"
KEY = "config/client-key.pem"

# Whatever is replaced at one of these is scrubbed: no old byte stays in the image.
PATHS = frozenset({CERTIFICATE, CONFIG, KEY})
