{#
# SPDX-License-Identifier: Apache-2.0
summary = "Install NGT in a Linux guest from the disc that bears NGT's label"

[parameters.label]
type = "string"
default = "NUTANIX_TOOLS"
help = "volume label of the disc"

[parameters.prefix]
type = "string"
default = "/usr/local"
pattern = "/.*"
help = "where NGT installs itself: <prefix>/nutanix; must be writable and executable"

[parameters.min_free_mb]
type = "integer"
default = 1024
help = "free space wanted under prefix, in MiB; Nutanix publishes no figure"

[parameters.check_host]
type = "string"
default = ""
help = "the cluster's virtual IP, to check that its NGT port answers; empty: do not check"

[parameters.check_port]
type = "integer"
default = 2074
help = "the NGT port on check_host"

[parameters.python]
type = "string"
default = ""
help = "interpreter for install_ngt.py; empty: the first of python3, python2, python that can read it"

[parameters.services]
type = "list"
default = ["ngt_guest_agent.service", "ngt_self_service_restore.service"]
help = "units to wait for, where the installer registered them; the first one is required"

[parameters.service_timeout]
type = "integer"
default = 180
help = "seconds to wait for all services together"
#}
#!/bin/bash
# Installs Nutanix Guest Tools from the disc that bears its label.
#
#   ngt-install [--source DIR] [--python PROGRAM] [--check] [--force]
#
#   --source DIR      use this mounted or unpacked tree, not the disc
#   --python PROGRAM  run install_ngt.py with this interpreter
#   --check           only look whether this guest is ready; change nothing
#   --force           run the installer although NGT is installed already
#
# Exit codes:
#    0  installed, or installed already     12  nothing on the disc that can be run here
#    2  usage                               13  the installer refuses this distribution
#   10  no disc with the label              14  the installer failed
#   11  this guest is not ready             15  a service did not start
#
# From: ngtpatch render guest-install.sh
set -euo pipefail

readonly LABEL={{ label | sh }}
readonly PREFIX={{ prefix | sh }}
readonly MIN_FREE_MB={{ min_free_mb | sh }}
readonly CHECK_HOST={{ check_host | sh }}
readonly CHECK_PORT={{ check_port | sh }}
readonly SERVICES=({{ services | sh }})
readonly SERVICE_TIMEOUT={{ service_timeout | sh }}

PYTHON={{ python | sh }}
SOURCE=
CHECK_ONLY=
FORCE=
TAKEN_FOR=
WORK=$(mktemp -d)
COMMAND=()

say() { printf 'ngt-install: %s\n' "$*"; }

fail() {
  local code=$1 line
  shift
  for line; do printf 'ngt-install: %s\n' "$line" >&2; done
  exit "$code"
}

# Whatever fails here must not hide the exit code that the script ends with.
clean_up() {
  if [[ -d $WORK/disc ]]; then
    if mountpoint -q "$WORK/disc"; then umount "$WORK/disc" || true; fi
    rmdir "$WORK/disc" || true
  fi
  rm -f "$WORK/output"
  rmdir "$WORK" || true
}
trap clean_up EXIT

# By label, not by device: how many CD-ROMs a VM has, and on which bus, is not ours to know.
open_disc() {
  local device
  if command -v udevadm >/dev/null; then udevadm settle --timeout=10 || true; fi
  device=$(blkid -L "$LABEL") || fail 10 \
    "no disc is labelled $LABEL" \
    "attach the ISO to this VM's CD-ROM and run this again, or give --source DIR"
  mkdir "$WORK/disc"
  mount -o ro "$device" "$WORK/disc" || fail 10 "$device is labelled $LABEL, but cannot be mounted"
  SOURCE=$WORK/disc
}

# An interpreter is good when it can parse the installer: 1.x has sources for Python 2 only.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python2 python /usr/libexec/platform-python}; do
    command -v "$candidate" >/dev/null || continue
    if "$candidate" -c 'import ast, sys; ast.parse(open(sys.argv[1], "rb").read())' "$1" 2>/dev/null
    then
      PYTHON=$candidate
      return 0
    fi
  done
  return 1
}

choose_command() {
  local linux=$SOURCE/installer/linux
  if [[ -f $linux/install_ngt.sh ]]; then
    COMMAND=(sh "$linux/install_ngt.sh" --operation=install)
  elif [[ -f $linux/install_ngt.py ]] && find_python "$linux/install_ngt.py"; then
    COMMAND=("$PYTHON" "$linux/install_ngt.py")
    # 3.x wants to be told what to do; what earlier ones make of an argument is unknown.
    if grep -q -e --operation "$linux/install_ngt.py"; then COMMAND+=(--operation install); fi
  elif [[ -f $linux/setup_python.sh ]]; then
    COMMAND=(bash "$linux/setup_python.sh")
  elif [[ -f $linux/install_ngt.py ]]; then
    fail 12 "no Python here can run $linux/install_ngt.py" \
      "install one (NGT 1.x needs Python 2.7), or name it with --python"
  else
    fail 12 "$SOURCE holds no installer/linux/install_ngt.sh or .py" "is it an NGT disc?"
  fi
}

runs_programs() {
  local probe status=0
  probe=$(mktemp "$1/.ngt-install.XXXXXX" 2>/dev/null) || return 1
  printf '#!/bin/sh\nexit 0\n' >"$probe"
  chmod 0700 "$probe"
  "$probe" 2>/dev/null || status=1
  rm -f "$probe"
  return "$status"
}

installer_mentions() {
  grep -rqsE --include='*.py' --include='*.sh' -e "$1" "$SOURCE/installer/linux"
}

# All that is wrong at once: nobody wants to come back five times.
check_guest() {
  local problems=() free
  ((EUID == 0)) || problems+=("not root: run this with sudo")
  runs_programs "$PREFIX" || problems+=("$PREFIX cannot be written to, or is mounted noexec")
  free=$(df -Pk "$PREFIX" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }') || free=0
  ((free >= MIN_FREE_MB)) || problems+=("$PREFIX has $free MiB free, $MIN_FREE_MB are wanted")
  if installer_mentions dmidecode && ! command -v dmidecode >/dev/null; then
    problems+=("the installer calls dmidecode: install the package dmidecode")
  fi
  if [[ ${COMMAND[0]} == "$PYTHON" ]] && installer_mentions '^[[:space:]]*(import|from) +setuptools' &&
    ! "$PYTHON" -c 'import setuptools' 2>/dev/null; then
    problems+=("the installer imports setuptools, which $PYTHON lacks: install python-setuptools")
  fi
  # shellcheck disable=SC2016  # the inner bash expands its own arguments
  if [[ -n $CHECK_HOST ]] &&
    ! timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$CHECK_HOST" "$CHECK_PORT" 2>/dev/null; then
    problems+=("$CHECK_HOST does not answer on TCP $CHECK_PORT: ask for the firewall to be opened")
  fi
  [[ -z ${problems[*]-} ]] || fail 11 "${problems[@]}"
}

# What the installer prints is the only account it gives; these phrases are known.
explain() {
  local output=$1 status=$2 name log
  name=$(sed -n '/Unsupported distribution : /{s/^.*Unsupported distribution : *//p;q}' "$output")
  if [[ -n $name ]]; then
    fail 13 "the installer does not know this distribution: $name" \
      "rebuild the ISO for it: ngtpatch rebuild ISO --distro ID -o OUT"
  fi
  if ((status != 0)) || grep -q 'ERROR: Failed to install Nutanix Guest Tools' "$output"; then
    log=$(grep -oE '/[^ ]*ngt_install_log_[0-9]+\.txt' "$output" | tail -n 1) || log=
    if [[ -f $log ]]; then
      say "the end of $log:" >&2
      tail -n 20 "$log" >&2
    fi
    fail 14 "the installer failed with exit code $status: ${COMMAND[*]}"
  fi
}

run_installer() {
  local status=0
  say "running ${COMMAND[*]}"
  "${COMMAND[@]}" </dev/null 2>&1 | tee "$WORK/output" || status=$?
  explain "$WORK/output" "$status"
  TAKEN_FOR=$(sed -n 's/^.*Using Linux Installer for \(.*\) linux distribution\..*$/\1/p' "$WORK/output")
}

wait_for_services() {
  local unit deadline=$((SECONDS + SERVICE_TIMEOUT))
  [[ -n ${SERVICES[*]-} ]] || return 0
  case $(systemctl is-system-running 2>/dev/null) in
    '' | offline)
      say "systemd does not run here: the services start with the next boot"
      return 0
      ;;
  esac
  for unit in "${SERVICES[@]}"; do
    if ! systemctl cat "$unit" >/dev/null 2>&1; then
      [[ $unit != "${SERVICES[0]}" ]] || fail 15 "the installer registered no $unit"
      continue
    fi
    until systemctl is-active --quiet "$unit"; do
      ((SECONDS < deadline)) || fail 15 "$unit did not start: see journalctl -u $unit"
      sleep 2
    done
    say "$unit is active"
  done
}

while (($#)); do
  case $1 in
    --source | --python)
      (($# > 1)) || fail 2 "$1 wants a value"
      if [[ $1 == --source ]]; then SOURCE=$2; else PYTHON=$2; fi
      shift
      ;;
    --check) CHECK_ONLY=yes ;;
    --force) FORCE=yes ;;
    *) fail 2 "what is $1? usage: ngt-install [--source DIR] [--python PROGRAM] [--check] [--force]" ;;
  esac
  shift
done

if [[ -n $(ls -A "$PREFIX/nutanix" 2>/dev/null) && -z $FORCE$CHECK_ONLY ]]; then
  say "NGT is in $PREFIX/nutanix already: nothing done"
  # NGT 1.x deletes the installed tree before it looks at the distribution.
  say "--force runs the installer anyway; be sure first that this ISO accepts this distribution"
  exit 0
fi

[[ -n $SOURCE ]] || open_disc
choose_command
check_guest
if [[ -n $CHECK_ONLY ]]; then
  say "ready: ${COMMAND[*]}"
  exit 0
fi
run_installer
wait_for_services
say "done${TAKEN_FOR:+: installed as for $TAKEN_FOR}"
