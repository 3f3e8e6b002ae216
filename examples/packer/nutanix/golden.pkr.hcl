# SPDX-License-Identifier: Apache-2.0
# A golden image with NGT, built on a Nutanix cluster.
#
#   ngtpatch packer prepare NGT.iso --distro rocky --output build
#   ngtpatch render guest-install.sh -o guest-install.sh
#   ngtpatch render guest-generalize.sh -o guest-generalize.sh
#   packer init . && packer build .

source "nutanix" "rocky" {
  nutanix_endpoint = var.nutanix_endpoint
  nutanix_username = var.nutanix_username
  nutanix_password = var.nutanix_password
  cluster_name     = var.nutanix_cluster
  os_type          = "Linux"

  cpu       = 2
  memory_mb = 4096

  vm_disks {
    image_type        = "DISK_IMAGE"
    source_image_name = var.source_image
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
    subnet_name = var.nutanix_subnet
  }

  # No clone inherits the disc.
  vm_clean {
    cdrom = true
  }

  # A later build replaces the image of this name; without it there would be two.
  force_deregister  = true
  image_name        = "rocky-ngt"
  image_description = "NGT from ${var.ngt_iso_name} (${var.ngt_profile}), sha256 ${var.ngt_iso_sha256}"

  ssh_username     = var.ssh_username
  ssh_password     = var.ssh_password
  shutdown_command = "sudo shutdown -P now"
}

build {
  sources = ["source.nutanix.rocky"]

  provisioner "shell" {
    script          = "guest-install.sh"
    execute_command = "sudo bash {{ .Path }}"
  }

  provisioner "shell" {
    script          = "guest-generalize.sh"
    execute_command = "sudo bash {{ .Path }}"
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
