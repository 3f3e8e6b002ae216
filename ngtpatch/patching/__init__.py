# SPDX-License-Identifier: Apache-2.0
"""Profiles and patches: what a distribution is, what is changed for it, and the proof of it."""
