{#
# SPDX-License-Identifier: Apache-2.0
summary = "Packer template for the Nutanix plugin: boots an image with the rebuilt disc, installs, generalizes"

[parameters.name]
type = "string"
default = "golden"
pattern = "[A-Za-z_][A-Za-z0-9_-]*"
help = "name of the source, and of the image that is written"

[parameters.source_image]
type = "string"
help = "name of the distribution's disk image in the image library"

[parameters.cluster]
type = "string"
help = "name of the cluster that builds"

[parameters.subnet]
type = "string"
help = "name of the subnet that the build VM is attached to"

[parameters.ssh_username]
type = "string"
default = "packer"
help = "user that Packer logs in as; may use sudo"

[parameters.cpus]
type = "integer"
default = 2
help = "vCPUs of the build VM"

[parameters.memory_mb]
type = "integer"
default = 4096
help = "memory of the build VM, in MiB"
#}
# From: ngtpatch render packer.pkr.hcl
#
#   ngtpatch packer prepare NGT.iso --distro rocky --output build    writes ngtpatch.auto.pkrvars.json
#   ngtpatch render guest-install.sh -o guest-install.sh
#   ngtpatch render guest-generalize.sh -o guest-generalize.sh
#   packer build .
#
# Packer 1.7 and newer install the plugin from a required_plugins block; it stands in a file
# of its own (plugins.pkr.hcl), because Packer 1.6 cannot parse it.

variable "ngt_iso_path" {
  type        = string
  description = "The rebuilt ISO; set by ngtpatch.auto.pkrvars.json."
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

variable "nutanix_endpoint" {
  type        = string
  description = "Prism Central's name or address."
}

variable "nutanix_username" {
  type = string
}

variable "nutanix_password" {
  type      = string
  sensitive = true
}

variable "ssh_password" {
  type      = string
  sensitive = true
}

source "nutanix" {{ name | hcl }} {
  nutanix_endpoint = var.nutanix_endpoint
  nutanix_username = var.nutanix_username
  nutanix_password = var.nutanix_password
  cluster_name     = {{ cluster | hcl }}
  os_type          = "Linux"

  cpu       = {{ cpus | hcl }}
  memory_mb = {{ memory_mb | hcl }}

  vm_disks {
    image_type        = "DISK_IMAGE"
    source_image_name = {{ source_image | hcl }}
  }

  # The plugin uploads the file under its own name, which prepare makes unique, looks that name up
  # and stops when it finds two. So the image is deleted after the build, and the next build
  # uploads it again. What a build that was killed left behind has to be deleted by hand.
  vm_disks {
    image_type          = "ISO_IMAGE"
    source_image_path   = var.ngt_iso_path
    source_image_delete = true
  }

  vm_nics {
    subnet_name = {{ subnet | hcl }}
  }

  # No clone inherits the disc.
  vm_clean {
    cdrom = true
  }

  # A later build replaces the image of this name; without it there would be two.
  force_deregister  = true
  image_name        = {{ name | hcl }}
  image_description = "NGT from ${var.ngt_iso_name} (${var.ngt_profile}), sha256 ${var.ngt_iso_sha256}"

  ssh_username     = {{ ssh_username | hcl }}
  ssh_password     = var.ssh_password
  shutdown_command = "sudo shutdown -P now"
}

build {
  sources = [{{ ("source.nutanix." ~ name) | hcl }}]

  provisioner "shell" {
    script          = "guest-install.sh"
    execute_command = "sudo bash {% raw %}{{ .Path }}{% endraw %}"
  }

  provisioner "shell" {
    script          = "guest-generalize.sh"
    execute_command = "sudo bash {% raw %}{{ .Path }}{% endraw %}"
  }

  post-processor "manifest" {
    output     = "packer-manifest.json"
    strip_path = true
    custom_data = {
      ngt_iso    = var.ngt_iso_name
      ngt_sha256 = var.ngt_iso_sha256
      profile    = var.ngt_profile
    }
  }
}
