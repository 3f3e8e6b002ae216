# SPDX-License-Identifier: Apache-2.0
"""Where regions go: a new file, a stream, a directory, or back to the vendor's image."""
