# SPDX-License-Identifier: Apache-2.0
# ISOs for three distributions from one vendor ISO, in parallel. Runs anywhere: no hypervisor.
#
#   packer build -var iso=NGT.iso .
#
# Each source calls ngtpatch's library; the checksum and manifest post-processors then
# account for what it made. Any source of yours can be built the same way.

variable "iso" {
  type        = string
  description = "The vendor's ISO."
}

variable "output" {
  type    = string
  default = "build"
}

variable "cache" {
  type        = string
  default     = ""
  description = "A directory that builds share; empty: none."
}

variable "python" {
  type        = string
  default     = "/usr/bin/env python3"
  description = "A Python that has ngtpatch."
}

# A source is named like the profile that it is for.
source "null" "rocky" {
  communicator = "none"
}

source "null" "almalinux" {
  communicator = "none"
}

source "null" "cloudlinux" {
  communicator = "none"
}

build {
  sources = ["source.null.rocky", "source.null.almalinux", "source.null.cloudlinux"]

  provisioner "shell-local" {
    environment_vars = [
      "NGTPATCH_ISO=${var.iso}",
      "NGTPATCH_DISTRO=${source.name}",
      "NGTPATCH_OUTPUT=${var.output}/${source.name}",
      "NGTPATCH_RESULT=${var.output}/${source.name}.json",
      "NGTPATCH_CACHE_DIR=${var.cache}",
    ]
    inline_shebang = var.python
    inline         = ["from ngtpatch import packer", "packer.hook()"]
  }

  post-processors {
    post-processor "artifice" {
      files = ["${var.output}/${source.name}/*.iso"]
    }

    post-processor "checksum" {
      checksum_types = ["sha256"]
      output         = "${var.output}/${source.name}.{{.ChecksumType}}"
    }

    post-processor "manifest" {
      output     = "${var.output}/packer-manifest.json"
      strip_path = true
      custom_data = {
        distro = source.name
      }
    }
  }
}
