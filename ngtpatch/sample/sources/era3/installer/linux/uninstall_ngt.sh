#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the vendor's script does is not published, but that it wraps uninstall_ngt_core.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/uninstall_ngt_core.py" --force "$@"
