# SPDX-License-Identifier: Apache-2.0
"""SUSE Linux Enterprise Server and openSUSE."""
from base_installer import BaseInstaller


class SuseInstaller(BaseInstaller):
  MINIMUM_VERSION = "11"
