# SPDX-License-Identifier: Apache-2.0
"""Archives: members read, and some replaced while every other byte stays. Knows no image."""
