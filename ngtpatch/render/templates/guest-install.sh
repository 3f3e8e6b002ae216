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
#   ngt-install [--source DIR | --disc [DEVICE]] [--python PROGRAM] [--check] [--force]
#
#   --source DIR      use this mounted or unpacked tree, not the disc
#   --disc DEVICE     where several discs have the label: use this one
#   --disc            ... use the one that ngtpatch has rebuilt (it has a build record)
#   --python PROGRAM  run install_ngt.py with this interpreter
#   --check           only look whether this guest is ready; change nothing
#   --force           run the installer although NGT is installed already
#
# "Installed already" is said of an installation with a marker (the installer's ngt_marker, or
# the one that this script leaves after a success) and its services, unless the last run of this
# script failed: then the installer runs again. What the installer leaves running is not waited
# for; success is its exit code 0, a tree in PREFIX/nutanix, and services that are active.
# Not looked at: whether the agent reaches its cluster, and whose identity is on the disc.
#
# Exit codes:
#    0  installed, or installed already     13  the installer refuses this distribution
#    2  usage                               14  the installer, or this script, failed
#   10  no disc with the label, several,    15  a service is not there, or did not start
#       or one that cannot be mounted       16  NGT's service is there, but no marker of
#   11  this guest is not ready                 a finished installation: see --force
#   12  nothing on the disc that can be    130  interrupted
#       run here
#
# From: ngtpatch render guest-install.sh
set -euo pipefail
unset CDPATH

readonly LABEL={{ label | sh }}
readonly PREFIX={{ prefix | sh }}
readonly MIN_FREE_MB={{ min_free_mb | sh }}
readonly CHECK_HOST={{ check_host | sh }}
readonly CHECK_PORT={{ check_port | sh }}
readonly SERVICES=({{ services | sh }})
readonly SERVICE_TIMEOUT={{ service_timeout | sh }}
readonly UNFINISHED=$PREFIX/.ngt-install-unfinished
readonly MARKER=$PREFIX/nutanix/.ngt-install
readonly USAGE='usage: ngt-install [--source DIR | --disc [DEVICE]] [--python PROGRAM] [--check] [--force]'

PYTHON={{ python | sh }}
SOURCE=
DISC=
WANT_RECORD=
DEVICE=
CHECK_ONLY=
FORCE=
TAKEN_FOR=
WORK=
INSTALLER=
CLEAN=
ENDED=
COMMAND=()
DISCS=()

# Names come from discs and logs, and may hold what a terminal would obey.
clean() {
  local LC_ALL=C
  CLEAN=${*//[[:cntrl:]]/?}
  # In UTF-8: the second set of controls, and what turns the direction of writing round.
  CLEAN=${CLEAN//$'\xc2'[$'\x80'-$'\x9f']/?}
  CLEAN=${CLEAN//$'\xe2\x80'[$'\xa8'-$'\xae']/?}
  CLEAN=${CLEAN//$'\xe2\x81'[$'\xa6'-$'\xa9']/?}
}

say() {
  clean "$@"
  printf 'ngt-install: %s\n' "$CLEAN"
}

end() {
  ENDED=yes
  exit "$1"
}

fail() {
  local code=$1 line
  shift
  for line; do say "$line" >&2; done
  end "$code"
}

# Whatever fails here must not hide the exit code that the script ends with.
# shellcheck disable=SC2317  # the trap runs it
clean_up() {
  local code=$?
  trap '' INT TERM HUP
  [[ -z $INSTALLER ]] || kill -- "-$INSTALLER" 2>/dev/null || true
  if [[ -d $WORK/disc ]]; then
    if mountpoint -q "$WORK/disc"; then
      # What the installer left running may stand in it; it is gone from the tree at least.
      umount "$WORK/disc" || umount -l "$WORK/disc" 2>/dev/null || true
    fi
    rmdir "$WORK/disc" || true
  fi
  if [[ -n $WORK ]]; then
    rm -f "$WORK/output" "$WORK/mount"
    rmdir "$WORK" || true
  fi
  if [[ -z $ENDED ]]; then
    say "stopped by an error that was not foreseen" >&2
    code=14
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'end 130' INT TERM HUP

# Root runs nothing that happens to lie in the current directory, and neither does what it starts.
leave_current_directory() {
  local entry rest=$PATH: kept=
  while [[ -n $rest ]]; do
    entry=${rest%%:*} rest=${rest#*:}
    [[ $entry != /* ]] || kept+=${kept:+:}$entry
  done
  export PATH=$kept
  for entry in "${!PYTHON@}"; do
    [[ $entry == PYTHON ]] || unset "$entry"
  done
  cd /
}

# Isolated, and without the current directory to import from.
python() {
  local program=$1 code=$2
  shift 2
  "$program" -E -s -c "import sys
sys.path[:] = [entry for entry in sys.path if entry.startswith('/')]
$code" "$@" </dev/null 2>/dev/null
}

add_disc() {
  local known
  [[ -e $1 ]] || return 0
  for known in ${DISCS[@]+"${DISCS[@]}"}; do
    if [[ $1 -ef $known ]]; then return 0; fi
  done
  DISCS+=("$1")
}

# By label, not by device: how many CD-ROMs a VM has, and on which bus, is not ours to know.
# blkid -L names one of several, so each that knows is asked: the agent asks lsblk.
find_discs() {
  local name label listed status=0
  if command -v udevadm >/dev/null; then udevadm settle --timeout=10 || true; fi
  while read -r name; do [[ -z $name ]] || add_disc "$name"; done < <(
    blkid -c /dev/null -t "LABEL=$LABEL" -o device 2>/dev/null || true
    blkid -L "$LABEL" 2>/dev/null
  )
  listed=$(lsblk -o NAME,LABEL -nl 2>/dev/null) || status=$?
  while read -r name label; do
    [[ $label != "$LABEL" ]] || add_disc "/dev/$name"
  done <<<"$listed"
  # blkid ends with 2 where there is none, and other ends below 126 are its own as well.
  if [[ -z ${DISCS[*]-} ]] && ((status != 0)); then
    status=0
    blkid -L "$LABEL" >/dev/null 2>&1 || status=$?
    ((status < 126)) || fail 11 "neither blkid nor lsblk runs here: which discs there are cannot be seen" \
      "install util-linux, or mount the disc and give --source DIR"
  fi
}

# ngtpatch's record ends the volume, whose size in sectors the volume itself says
# (ECMA-119 8.4.8); one more sector may follow.
has_record() {
  local b
  read -r -a b < <(od -An -tu1 -j 32848 -N 4 "$1" 2>/dev/null) || true
  if [[ -n ${b[3]-} ]]; then
    dd if="$1" bs=2048 count=2 skip=$((b[0] + 256 * (b[1] + 256 * (b[2] + 256 * b[3])) - 2)) 2>/dev/null
  else
    tail -c 4096 "$1" 2>/dev/null
  fi | grep -a 'NGTPATCH RECORD' >/dev/null
}

choose_disc() {
  local disc lines=() rebuilt=()
  find_discs
  [[ -n ${DISCS[*]-} ]] || fail 10 "no disc is labelled $LABEL" \
    "attach the ISO to this VM's CD-ROM and run this again, or give --source DIR"
  for disc in "${DISCS[@]}"; do
    if has_record "$disc"; then
      rebuilt+=("$disc")
      lines+=("  $disc, with ngtpatch's build record")
    else
      lines+=("  $disc, without a build record")
    fi
    if [[ -n $DISC && $DISC -ef $disc ]]; then DEVICE=$disc; fi
  done
  if [[ -n $DISC ]]; then
    [[ -n $DEVICE ]] || fail 10 "$DISC is not labelled $LABEL; these are:" "${lines[@]}"
  elif [[ -n $WANT_RECORD ]]; then
    [[ -n ${rebuilt[*]-} && -z ${rebuilt[1]-} ]] ||
      fail 10 "--disc wants one disc with a build record; labelled $LABEL are:" "${lines[@]}"
    DEVICE=${rebuilt[0]}
  else
    [[ -z ${DISCS[1]-} ]] || fail 10 "several discs are labelled $LABEL:" "${lines[@]}" \
      "eject all but one, or say which: --disc DEVICE, or --disc for the one with a build record"
    DEVICE=${DISCS[0]}
  fi
}

# Where the device is mounted already, by an automounter or a person: into SOURCE.
is_mounted() {
  local device target rest
  [[ -r /proc/mounts ]] || return 1
  while read -r device target rest; do
    if [[ $device -ef $DEVICE ]]; then
      printf -v SOURCE '%b' "${target//\\/\\0}"
      return 0
    fi
  done </proc/mounts
  return 1
}

open_disc() {
  choose_disc
  mkdir "$WORK/disc"
  if mount -o ro "$DEVICE" "$WORK/disc" 2>"$WORK/mount"; then
    SOURCE=$WORK/disc
  elif is_mounted; then
    say "$DEVICE is mounted on $SOURCE already"
  else
    fail 10 "$DEVICE is labelled $LABEL, but cannot be mounted" "$(tail -n 1 "$WORK/mount")"
  fi
}

# An interpreter is good when it can parse the installer. 1.x, which brings no Python and has
# no install_ngt.sh, ends on anything but Python 2, though Python 3 can parse it.
find_python() {
  local candidate candidates=(python3 python2 python /usr/libexec/platform-python)
  if [[ ! -f $SOURCE/installer/linux/setup_python.sh ]]; then
    candidates=(python2.7 python2.6 python2 python python3 /usr/libexec/platform-python)
  fi
  [[ -z $PYTHON ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    command -v "$candidate" >/dev/null || continue
    if python "$candidate" 'import ast
ast.parse(open(sys.argv[1], "rb").read())' "$1"; then
      PYTHON=$candidate
      return 0
    fi
  done
  return 1
}

choose_command() {
  local linux=$SOURCE/installer/linux
  if [[ -f $linux/install_ngt.sh ]]; then
    [[ -z $PYTHON ]] || say "install_ngt.sh chooses its Python by itself: $PYTHON is not used" >&2
    COMMAND=(sh "$linux/install_ngt.sh" --operation=install)
  elif [[ -f $linux/install_ngt.py ]] && find_python "$linux/install_ngt.py"; then
    COMMAND=("$PYTHON" "$linux/install_ngt.py")
    # 3.x wants to be told what to do; what earlier ones make of an argument is unknown.
    if grep -q -e --operation -- "$linux/install_ngt.py"; then COMMAND+=(--operation install); fi
  elif [[ -f $linux/setup_python.sh && -z $PYTHON ]]; then
    COMMAND=(bash "$linux/setup_python.sh")
  elif [[ -f $linux/install_ngt.py ]]; then
    [[ -z $PYTHON ]] ||
      fail 12 "$PYTHON is not there, or cannot run $linux/install_ngt.py" "name another with --python"
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
  grep -rqsE --include='*.py' --include='*.sh' -e "$1" -- "$SOURCE/installer/linux"
}

proxy_note() {
  local proxy=${https_proxy-${HTTPS_PROXY-${http_proxy-${HTTP_PROXY-}}}}
  [[ -z $proxy ]] || printf '%s' " (asked directly, not through the proxy that this environment names)"
}

# All that is wrong at once: nobody wants to come back five times.
check_guest() {
  local problems=() free
  runs_programs "$PREFIX" || problems+=("$PREFIX cannot be written to, or is mounted noexec")
  # The number before the percentage: names before and after it may hold blanks.
  free=$(df -Pk "$PREFIX" 2>/dev/null | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p') || true
  free=$((${free:-0} / 1024))
  ((free >= MIN_FREE_MB)) || problems+=("$PREFIX has $free MiB free, $MIN_FREE_MB are wanted")
  if installer_mentions dmidecode && ! command -v dmidecode >/dev/null; then
    problems+=("the installer calls dmidecode: install the package dmidecode")
  fi
  if [[ ${COMMAND[0]} == "$PYTHON" ]] && installer_mentions '^[[:space:]]*(import|from) +setuptools' &&
    ! python "$PYTHON" 'import setuptools'; then
    problems+=("the installer imports setuptools, which $PYTHON lacks: install python-setuptools")
  fi
  # shellcheck disable=SC2016  # the inner bash expands its own arguments
  if [[ -n $CHECK_HOST ]] &&
    ! timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$CHECK_HOST" "$CHECK_PORT" 2>/dev/null; then
    problems+=("$CHECK_HOST does not answer on TCP $CHECK_PORT$(proxy_note): ask for the firewall to be opened")
  fi
  [[ -z ${problems[*]-} ]] || fail 11 "${problems[@]}"
}

selinux_note() {
  [[ $(getenforce 2>/dev/null) != Enforcing ]] ||
    say "SELinux is enforcing: ausearch -m avc -ts recent shows what it denied" >&2
}

# What the installer prints is the only account it gives; these phrases are known.
explain() {
  local output=$1 status=$2 name log line again=()
  name=$(sed -n '/Unsupported distribution :/{s/^.*Unsupported distribution : *//p;q}' "$output")
  # Python 2 knows no name for some, and prints none.
  if grep -q 'Unsupported distribution :' "$output"; then
    if [[ -n $DEVICE ]] && ! has_record "$DEVICE"; then
      again=("rebuild the ISO for it: ngtpatch rebuild ISO --distro ID -o OUT")
    elif [[ -n $DEVICE ]]; then
      again=("ngtpatch made this disc, but not for this distribution, or not for this release:"
        "ngtpatch support ISO --os-release /etc/os-release says what the disc accepts")
    else
      again=("ngtpatch support DIR --os-release /etc/os-release says whether this tree can be made to accept it")
    fi
    fail 13 "the installer does not know this distribution: ${name:-it found no name for it}" "${again[@]}"
  fi
  if ((status != 0)) || grep -q 'ERROR: Failed to install Nutanix Guest Tools' "$output"; then
    log=$(grep -oE '/[^ ]*ngt_install_log_[0-9]+\.txt' "$output" | tail -n 1) || log=
    if [[ -f $log ]]; then
      say "the end of $log:" >&2
      while IFS= read -r line || [[ -n $line ]]; do
        clean "$line"
        printf '%s\n' "$CLEAN" >&2
      done < <(tail -n 20 "$log")
    fi
    selinux_note
    [[ ! -e $PREFIX/nutanix ]] ||
      again=("if it says that this version is installed already: remove what is in $PREFIX/nutanix with the" \
        "uninstall_ngt.py in it, and run this again")
    fail 14 "the installer failed with exit code $status: ${COMMAND[*]}" ${again[@]+"${again[@]}"}
  fi
  [[ -n $(ls -A "$PREFIX/nutanix" 2>/dev/null) ]] ||
    fail 14 "the installer ended without an error, but there is nothing in $PREFIX/nutanix"
}

# A file takes the output, not a pipe: whatever the installer leaves running holds it open,
# and nobody waits for the end of a file.
run_installer() {
  local status=0 reader left
  : >"$UNFINISHED"
  rm -f "$MARKER"
  say "running ${COMMAND[*]}"
  : >"$WORK/output"
  # In a process group of its own, so that an interruption ends all of it.
  set -m
  "${COMMAND[@]}" </dev/null >"$WORK/output" 2>&1 &
  INSTALLER=$!
  set +m
  tail -n +1 -s 0.2 --pid="$INSTALLER" -f "$WORK/output" &
  reader=$!
  wait "$INSTALLER" || status=$?
  INSTALLER=
  wait "$reader" || true
  left=$(find /proc/[0-9]*/fd -lname "$WORK/output" 2>/dev/null | sed 's,^/proc/\([0-9]*\)/.*,\1,' |
    sed '$!N; /^\(.*\)\n\1$/!P; D') || true
  if [[ -n $left ]]; then say "the installer left running: process ${left//$'\n'/, }"; fi
  explain "$WORK/output" "$status"
  TAKEN_FOR=$(sed -n 's/^.*Using Linux Installer for \(.*\) linux distribution\..*$/\1/p' "$WORK/output")
  : >"$MARKER"
  rm -f "$UNFINISHED"
}

# systemctl does not answer everywhere, and 1.x has an init script.
is_registered() {
  local there
  if systemctl cat "$1" >/dev/null 2>&1; then return 0; fi
  for there in /{etc,usr/lib,lib}/systemd/system/"$1" "/etc/init.d/${1%.service}"; do
    if [[ -e $there ]]; then return 0; fi
  done
  return 1
}

wait_for_services() {
  local unit deadline=$((SECONDS + SERVICE_TIMEOUT))
  [[ -n ${SERVICES[*]-} ]] || return 0
  case $(systemctl is-system-running 2>/dev/null) in
    '' | offline)
      if is_registered "${SERVICES[0]}"; then
        say "systemd does not run here: the services start with the next boot"
      else
        say "systemd does not run here, and there is no ${SERVICES[0]}: whether the services will start was not seen"
      fi
      return 0
      ;;
  esac
  is_registered "${SERVICES[0]}" || fail 15 "the installer registered no ${SERVICES[0]}"
  for unit in "${SERVICES[@]}"; do
    is_registered "$unit" || continue
    until systemctl is-active --quiet "$unit"; do
      if ((SECONDS >= deadline)); then
        selinux_note
        fail 15 "$unit did not start: see journalctl -u $unit"
      fi
      sleep 2
    done
    say "$unit is active"
  done
}

# What is there already: a finished installation, one that cannot be judged, or none.
look_at_installed() {
  local tree=$PREFIX/nutanix marker
  if [[ -e $UNFINISHED ]]; then
    say "the last run did not finish: the installer runs again"
    return 0
  fi
  [[ -n $(ls -A "$tree" 2>/dev/null) ]] || return 0
  # A module of the agent that is called like it is none.
  marker=$(find -L "$tree" -type f \( -name 'ngt_marker*' ! -name '*.py*' -o -path "$MARKER" \) -print 2>/dev/null | sed -n 1p) || true
  if [[ -n ${SERVICES[*]-} ]] && ! is_registered "${SERVICES[0]}"; then
    say "$tree is there, but no ${SERVICES[0]}: the installer runs again"
  elif [[ -n $marker ]]; then
    wait_for_services
    say "NGT is in $tree already: nothing done"
    # NGT 1.x deletes the installed tree before it looks at the distribution.
    say "--force runs the installer anyway; be sure first that this ISO accepts this distribution"
    end 0
  elif [[ -n ${SERVICES[*]-} ]]; then
    fail 16 "${SERVICES[0]} is there, but $tree has no ngt_marker: whether NGT was installed to its end cannot be told" \
      "--force runs the installer; be sure first that this ISO accepts this distribution: NGT 1.x" \
      "deletes the installed tree before it looks"
  fi
}

main() {
  leave_current_directory
  ((EUID == 0)) || fail 11 "not root: run this with sudo"
  [[ -n $FORCE$CHECK_ONLY ]] || look_at_installed
  WORK=$(mktemp -d) || fail 11 "no directory to work in: is /tmp full, or read-only?"
  [[ -n $SOURCE ]] || open_disc
  choose_command
  check_guest
  if [[ -n $CHECK_ONLY ]]; then
    say "ready: ${COMMAND[*]}"
    end 0
  fi
  run_installer
  wait_for_services
  [[ -z ${DISCS[1]-} ]] ||
    say "several discs are labelled $LABEL: the agent takes its identity from none until one is left"
  say "done${TAKEN_FOR:+: installed as for $TAKEN_FOR}"
  end 0
}

# As seen from the current directory, which is left.
absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "${PWD%/}" "$1" ;;
  esac
}

while (($#)); do
  case $1 in
    --source | --python)
      [[ -n ${2-} ]] || fail 2 "$1 wants a value"
      if [[ $1 == --source ]]; then
        SOURCE=$(absolute "$2")
      elif [[ $2 == */* ]]; then
        PYTHON=$(absolute "$2")
      else
        PYTHON=$2
      fi
      shift
      ;;
    --disc)
      if [[ -n ${2-} && $2 != -* ]]; then
        DISC=$(absolute "$2")
        shift
      else
        WANT_RECORD=yes
      fi
      ;;
    --check) CHECK_ONLY=yes ;;
    --force) FORCE=yes ;;
    *) fail 2 "what is $1? $USAGE" ;;
  esac
  shift
done
[[ -z $SOURCE || -z $DISC$WANT_RECORD ]] || fail 2 "--source and --disc exclude each other"
main
