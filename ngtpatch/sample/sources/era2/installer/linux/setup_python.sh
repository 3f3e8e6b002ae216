#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the installer. The vendor's script brings CPython 3.6 with it; the sample's takes the
# guest's own Python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for python in python3.6 python3 python; do
  if "$python" -c '' 2>/dev/null; then
    exec "$python" "$here/install_ngt.py" "$@"
  fi
done
echo "No Python was found." >&2
exit 1
