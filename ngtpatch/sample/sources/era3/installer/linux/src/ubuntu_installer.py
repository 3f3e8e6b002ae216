# SPDX-License-Identifier: Apache-2.0
"""Ubuntu."""
from base_installer import BaseInstaller


class UbuntuInstaller(BaseInstaller):
  MINIMUM_VERSION = "14.04"
