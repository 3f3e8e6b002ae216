# SPDX-License-Identifier: Apache-2.0
"""Synthetic NGT images to try things on: our own installers, which behave as the vendor's do."""

from ngtpatch.sample.sample_image import Sample, write_sample

__all__ = ["Sample", "write_sample"]
