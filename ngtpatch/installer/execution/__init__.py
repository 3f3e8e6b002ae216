# SPDX-License-Identifier: Apache-2.0
"""The installer, executed on paper: once, for every distribution at the same time.

A value is what it is on each of many guests (:mod:`varied`); a condition splits
the guests; what ends is kept with the guests that it ends for. What is not
modelled has an unknown value, and where such a value decides, that is a finding
with its line. No vendor code runs.
"""
