# SPDX-License-Identifier: Apache-2.0

# These four come from ngtpatch.auto.pkrvars.json, which ngtpatch packer prepare writes.
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

variable "nutanix_cluster" {
  type = string
}

variable "nutanix_subnet" {
  type = string
}

variable "source_image" {
  type        = string
  description = "The distribution's disk image in the image library."
}

variable "ssh_username" {
  type    = string
  default = "packer"
}

variable "ssh_password" {
  type      = string
  sensitive = true
}
