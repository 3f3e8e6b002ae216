{#
# SPDX-License-Identifier: Apache-2.0
summary = "Take the VM's NGT identity out of a guest before it becomes an image"

[parameters.prefix]
type = "string"
default = "/usr/local"
pattern = "/.*"
help = "where NGT is installed: <prefix>/nutanix"

[parameters.services]
type = "list"
default = ["ngt_guest_agent.service", "ngt_self_service_restore.service"]
help = "units to stop, so that none writes the identity back"
#}
#!/bin/bash
# Takes this VM's NGT identity out before it is captured as an image.
#
#   ngt-generalize [--check]
#
#   --check   only report what identity is there: exit 1 when there is some
#
# Client certificate and key are overwritten and removed, ngt_uuid is taken out of
# ngt_config.json. What the agent needs stays: the installation, its services, and an
# ngt_config.json with ngt_version. A clone gets its own identity from the disc that the
# cluster mounts, or that ngtpatch inject writes, when its agent starts.
#
# machine-id, SSH host keys and the like are not NGT's: cloud-init clean, virt-sysprep.
#
# Exit codes: 0 no identity is left; 1 --check found some; 2 usage; 11 not root, or no
# Python; 14 something could not be removed.
#
# From: ngtpatch render guest-generalize.sh
set -euo pipefail

readonly NGT={{ prefix | sh }}/nutanix
readonly SERVICES=({{ services | sh }})

say() { printf 'ngt-generalize: %s\n' "$*"; }

fail() {
  local code=$1
  shift
  printf 'ngt-generalize: %s\n' "$*" >&2
  exit "$code"
}

# 1.x keeps config/ in nutanix/, 2.x in nutanix/ngt/: found by name, wherever it is.
secrets() { find "$NGT" -type f \( -name client-key.pem -o -name client-cert.pem \) 2>/dev/null; }
configs() { find "$NGT" -type f -name ngt_config.json -exec grep -l '"ngt_uuid"' {} + 2>/dev/null; }

find_python() {
  local candidate
  for candidate in python3 python2 python /usr/libexec/platform-python "$NGT"/ngt/python*/bin/python3; do
    if command -v "$candidate" >/dev/null; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# Beside the file and renamed, so that a power cut leaves one of the two; order and unknown
# keys stay as they are. The old file's blocks are overwritten like the key's.
drop_uuid() {
  "$1" - "$2" <<'PYTHON' || return 1
import collections, json, os, sys
path = sys.argv[1]
with open(path) as file:
    config = json.load(file, object_pairs_hook=collections.OrderedDict)
config.pop("ngt_uuid", None)
descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
with os.fdopen(descriptor, "w") as file:
    os.fchmod(file.fileno(), os.stat(path).st_mode & 0o7777)
    file.write(json.dumps(config))
    file.flush()
    os.fsync(file.fileno())
PYTHON
  erase "$2" && mv "$2.new" "$2"
}

# One pass of noise suffices: an image is copied block by block, not read under a microscope.
erase() { shred --iterations=1 --zero --remove "$1"; }

main() {
  local found python file unit
  found=$(
    secrets
    configs
  ) || true
  if [[ -z $found ]]; then
    say "no identity in $NGT"
    return 0
  fi
  if [[ ${1-} == --check ]]; then
    say "identity:"
    printf '%s\n' "$found"
    return 1
  fi

  ((EUID == 0)) || fail 11 "not root: run this with sudo"
  python=$(find_python) || fail 11 "no Python here: ngt_config.json cannot be edited safely"
  for unit in "${SERVICES[@]}"; do
    systemctl stop "$unit" 2>/dev/null || true
  done
  while IFS= read -r file; do
    case $file in
      */ngt_config.json) drop_uuid "$python" "$file" && say "took ngt_uuid out of $file" ;;
      *) erase "$file" && say "removed $file" ;;
    esac || fail 14 "$file could not be cleaned: do not capture this VM"
  done <<<"$found"
  # What this VM's installation logged is no clone's business.
  rm -f /tmp/ngt_install_log_*.txt
  sync
  [[ -z $(
    secrets
    configs
  ) ]] || fail 14 "identity came back while it was removed: is the agent still running?"
  say "done: shut down now, and capture"
}

case ${1-} in
  '' | --check) (($# < 2)) || fail 2 "too many arguments" ;;
  *) fail 2 "what is $1? usage: ngt-generalize [--check]" ;;
esac
main "$@"
