#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: sh install_ngt.sh --operation=install
# What the vendor's script does is not published. This one finds a Python for install_ngt.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for python in python3 python; do
  if "$python" -c '' 2>/dev/null; then
    exec "$python" "$here/install_ngt.py" "$@"
  fi
done
echo "No Python was found." >&2
exit 1
