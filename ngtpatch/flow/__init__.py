# SPDX-License-Identifier: Apache-2.0
"""What the commands do, a module for each verb; here the wings meet."""
