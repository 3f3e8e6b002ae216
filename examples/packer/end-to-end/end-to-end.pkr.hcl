# SPDX-License-Identifier: Apache-2.0
# The whole way without a hypervisor: an sshd on loopback plays the guest.
#
#   ngtpatch sample -o NGT.iso
#   ngtpatch packer prepare NGT.iso --distro rocky --output build
#   python3 guest.py packer build -var guest_etc=ETC -var guest_identity=DIR .
#
# Only the sample's installer can be run like this: it installs into a directory that an
# environment variable names. A real guest has its own disc, its own /etc, and is root's.

variable "ngt_iso_path" {
  type = string
}

variable "ngt_iso_name" {
  type = string
}

variable "ngt_iso_sha256" {
  type = string
}

variable "ngt_profile" {
  type = string
}

# guest.py sets these four: PKR_VAR_guest_port and so on.
variable "guest_port" {
  type = number
}

variable "guest_user" {
  type = string
}

variable "guest_key" {
  type = string
}

variable "guest_home" {
  type        = string
  description = "The directory that plays the guest's disk."
}

variable "guest_etc" {
  type        = string
  description = "A directory with the os-release of the distribution that the guest plays."
}

variable "guest_identity" {
  type        = string
  default     = ""
  description = "A directory with one VM's identity, which the guest gets as from its cluster."
}

variable "as_root" {
  type        = string
  default     = ""
  description = "What to run the guest's scripts by where the guest's user is not root."
}

variable "ngtpatch" {
  type    = string
  default = "ngtpatch"
}

variable "output" {
  type    = string
  default = "build"
}

locals {
  ngt = "${var.guest_home}/root/usr/local/nutanix"
}

source "null" "guest" {
  communicator              = "ssh"
  ssh_host                  = "127.0.0.1"
  ssh_port                  = var.guest_port
  ssh_username              = var.guest_user
  ssh_private_key_file      = var.guest_key
  ssh_file_transfer_method  = "sftp"
  ssh_clear_authorized_keys = false
}

build {
  sources = ["source.null.guest"]

  # A real guest has all of this: its disk, its /etc, its CD-ROM.
  provisioner "shell" {
    inline = [
      "set -eu",
      "mkdir -p '${var.guest_home}/root/usr/local' '${var.guest_home}/disc' '${var.guest_home}/etc'",
    ]
  }

  provisioner "file" {
    source      = "${var.guest_etc}/"
    destination = "${var.guest_home}/etc"
  }

  provisioner "file" {
    source      = var.ngt_iso_path
    destination = "${var.guest_home}/${var.ngt_iso_name}"
  }

  provisioner "shell" {
    inline = ["bsdtar -xf '${var.guest_home}/${var.ngt_iso_name}' -C '${var.guest_home}/disc'"]
  }

  # This guest's /usr/local is elsewhere; a real one takes the scripts as they are.
  provisioner "shell-local" {
    inline = [
      "set -eu",
      "mkdir -p '${var.output}'",
      "${var.ngtpatch} render guest-install.sh --set 'prefix=${var.guest_home}/root/usr/local' --set min_free_mb=16 -fo '${var.output}/guest-install.sh'",
      "${var.ngtpatch} render guest-generalize.sh --set 'prefix=${var.guest_home}/root/usr/local' -fo '${var.output}/guest-generalize.sh'",
    ]
  }

  provisioner "file" {
    sources     = ["${var.output}/guest-install.sh", "${var.output}/guest-generalize.sh"]
    destination = "${var.guest_home}/"
    generated   = true
  }

  # Exit code 13 would say that the installer refuses the distribution; Packer stops at any.
  provisioner "shell" {
    environment_vars = [
      "NGT_SAMPLE_ROOT=${var.guest_home}/root",
      "UNIXCONFDIR=${var.guest_home}/etc",
    ]
    inline = [
      "set -eu",
      "${var.as_root} bash '${var.guest_home}/guest-install.sh' --source '${var.guest_home}/disc' >'${var.guest_home}/install.log' || { code=$?; cat '${var.guest_home}/install.log'; exit $code; }",
      "cat '${var.guest_home}/install.log'",
      "grep -q 'Using Linux Installer for' '${var.guest_home}/install.log'",
      "find '${local.ngt}' -name ngt_config.json | grep .",
    ]
  }

  # A build may be connected to its cluster, to be tested before it is captured. The cluster then
  # inserts a disc of its own, with an identity for this VM alone. On a cluster this is
  # "enable NGT" in Prism; here a directory is a disc.
  provisioner "shell-local" {
    inline = [
      "set -eu",
      "mkdir -p '${var.guest_home}/discs/ours'",
      "test -z '${var.guest_identity}' || { mkdir -p '${var.guest_home}/discs/cluster/config' && cp '${var.guest_identity}'/* '${var.guest_home}/discs/cluster/config/'; }",
    ]
  }

  provisioner "file" {
    source      = "agent.sh"
    destination = "${var.guest_home}/agent.sh"
  }

  # The trap: with both discs inserted the agent takes an identity from neither, and only logs
  # it. Ours has to leave first: "eject /dev/sr0", or ngtpatch push --eject from outside.
  provisioner "shell" {
    inline = [
      "set -eu",
      "test -d '${var.guest_home}/discs/cluster' || exit 0",
      "config=$(dirname \"$(find '${local.ngt}' -name ngt_config.json)\")",
      "code=0; ${var.as_root} bash '${var.guest_home}/agent.sh' '${var.guest_home}/discs' \"$config\" || code=$?",
      "test $code -eq 3",
      "rmdir '${var.guest_home}/discs/ours'",
      "${var.as_root} bash '${var.guest_home}/agent.sh' '${var.guest_home}/discs' \"$config\"",
      "${var.as_root} grep -q ngt_uuid \"$config/ngt_config.json\"",
      "rm -r '${var.guest_home}/discs/cluster'",
    ]
  }

  provisioner "shell" {
    inline = [
      "set -eu",
      "${var.as_root} bash '${var.guest_home}/guest-generalize.sh'",
      "${var.as_root} bash '${var.guest_home}/guest-generalize.sh' --check",
      "tar -cf '${var.guest_home}/guest.tar' -C '${var.guest_home}' root",
    ]
  }

  # The image, as far as there can be one here.
  provisioner "file" {
    direction   = "download"
    source      = "${var.guest_home}/guest.tar"
    destination = "${var.output}/guest.tar"
  }

  post-processors {
    post-processor "artifice" {
      files = ["${var.output}/guest.tar"]
    }

    post-processor "checksum" {
      checksum_types = ["sha256"]
      output         = "${var.output}/guest.{{.ChecksumType}}"
    }

    post-processor "manifest" {
      output     = "${var.output}/packer-manifest.json"
      strip_path = true
      custom_data = {
        ngt_iso    = var.ngt_iso_name
        ngt_sha256 = var.ngt_iso_sha256
        profile    = var.ngt_profile
      }
    }
  }
}
