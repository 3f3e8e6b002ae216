# SPDX-License-Identifier: Apache-2.0
# In a file of its own: Packer 1.6 cannot parse it, 1.7 and newer install the plugin by it.

packer {
  required_plugins {
    nutanix = {
      version = ">= 1.1.9"
      source  = "github.com/nutanix-cloud-native/nutanix"
    }
  }
}
