# SPDX-License-Identifier: Apache-2.0
"""What makes an NGT ISO one VM's: configuration, certificate and key.

Only a cluster can issue an identity. This package reads, checks, injects and removes
material that it is given; it never makes one up, and never shows a key.
"""
