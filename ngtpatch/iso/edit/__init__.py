# SPDX-License-Identifier: Apache-2.0
"""New content, new and removed files, as regions over an image that is never written to."""
