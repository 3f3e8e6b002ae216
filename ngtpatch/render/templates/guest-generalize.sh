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
#   ngt-generalize [--check] [--keep PATH]...
#
#   --check      only report what identity is there: exit 1 when there is some
#   --keep PATH  the keys, and any ngt_uuid, in this file or directory are not NGT's: leave them,
#                say nothing
#
# Identity is four files (ngt_config.json with its ngt_uuid, client-cert.pem, client-key.pem,
# ca-cert.pem) and every copy. Searched, by name and by content (private keys in PEM, ngt_uuid):
# PREFIX/nutanix and copies called PREFIX/nutanix.*, whatever links in them lead to, and the
# rest of PREFIX. In PREFIX/nutanix and its copies all of it goes. Elsewhere a private key goes
# only if it is alone in its file and belongs to NGT's client certificate (one in NGT's tree, or
# beside an ngt_config.json); any other is named, and that is an error.
# What the agent needs stays: the installation, its services, an ngt_config.json with
# ngt_version. A clone gets its own identity from the disc that the cluster mounts, or that
# ngtpatch inject writes, when its agent starts.
#
# Not looked at: archives and compressed files, keys that are not PEM, in files of other names
# (DER, PKCS#12), links from the rest of PREFIX, other places of the guest, swap, snapshots and
# free blocks. Files are overwritten before they are removed; that reaches their old blocks
# on ext4 and XFS, not on btrfs or below thin volumes.
# machine-id, SSH host keys and the like are not NGT's: cloud-init clean, virt-sysprep.
#
# It may be interrupted and run again. Exit codes, the lowest one from 11 on where there are several:
#    0  no identity was found, or none is left     13  something could not be read or resolved:
#    1  --check found some, and no more is wrong       the search is not complete
#    2  usage                                      14  something could not be removed
#   11  not root; no Python to edit the            15  a private key elsewhere, or something
#       configuration, or no working directory         else that is not clearly NGT's, was left
#   12  there is no such prefix                   130  interrupted
#
# From: ngtpatch render guest-generalize.sh
set -euo pipefail
export LC_ALL=C
unset CDPATH GREP_OPTIONS
readonly HERE=$PWD

readonly PREFIX={{ prefix | sh }}
readonly SERVICES=({{ services | sh }})
# Of the configuration, what belongs to one VM; the rest is the same for every clone.
readonly ONE_VMS='ngt_uuid|system_uuid|modify_guest_vm_configuration|last_configuration_uuid'
readonly MARKER='-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----'
readonly HEX='[0-9A-Fa-f]'
readonly UUID="$HEX{8}-$HEX{4}-$HEX{4}-$HEX{4}-$HEX{12}"

CHECK_ONLY=
KEEP=()
PYTHON=
WORK=
WORST=
ENDED=
RESOLVED=
CLEAN=
declare -A KNOWN IS_CONFIG

# Names come from the file system, and may hold what a terminal would obey.
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
  printf 'ngt-generalize: %s\n' "$CLEAN"
}

end() {
  ENDED=yes
  exit "$1"
}

fail() {
  local code=$1
  shift
  say "$@" >&2
  end "$code"
}

# Goes on: what can be removed is removed, and the end says that it was not all.
problem() {
  local code=$1
  shift
  say "$@" >&2
  if [[ -z $WORST ]] || ((code < WORST)); then WORST=$code; fi
}

# shellcheck disable=SC2317  # the trap runs it
clean_up() {
  local code=$?
  [[ -z $WORK ]] || rm -rf "$WORK"
  [[ -n $ENDED ]] || {
    say "stopped by an error that was not foreseen: do not capture this VM" >&2
    exit 14
  }
  exit "$code"
}
trap clean_up EXIT
trap 'end 130' INT TERM HUP

# Root runs nothing that happens to lie in the current directory.
leave_current_directory() {
  local entry rest=$PATH: kept=
  while [[ -n $rest ]]; do
    entry=${rest%%:*} rest=${rest#*:}
    [[ $entry != /* ]] || kept+=${kept:+:}$entry
  done
  export PATH=$kept
  cd /
}

find_python() {
  local candidate
  for candidate in python3 python2 python /usr/libexec/platform-python \
    "$PREFIX"/nutanix/ngt/python*/bin/python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -E -s -c 'import sys' 2>/dev/null; then
      PYTHON=$candidate
      return 0
    fi
  done
  return 1
}

# Where a path ends, through every link, into RESOLVED; 1 where it ends nowhere.
resolve() {
  local path=$1 target hops=0
  while [[ -L $path ]]; do
    ((++hops <= 40)) || return 1
    # The x keeps line breaks at the end of a name.
    target=$(find "$path" -maxdepth 0 -printf '%lx' 2>/dev/null) || return 1
    target=${target%x}
    [[ $target == /* ]] || target=${path%/*}/$target
    path=$target
  done
  while [[ $path == ?*/ ]]; do path=${path%/}; done
  if [[ -d $path ]]; then
    target=$(cd -P -- "$path" 2>/dev/null && printf '%sx' "$PWD") || return 1
    RESOLVED=${target%x}
  elif [[ -e $path ]]; then
    target=$(cd -P -- "${path%/*}/" 2>/dev/null && printf '%sx' "$PWD") || return 1
    RESOLVED=${target%x}
    RESOLVED=${RESOLVED%/}/${path##*/}
  else
    return 1
  fi
}

below() { [[ $1 == "$2" || $1 == "${2%/}"/* ]]; }

# NGT's own: in PREFIX/nutanix or nutanix.old and the like, in truth and not by a link.
is_own() { [[ $1/ == "${HOME_OF_NGT%/}"/nutanix[./]* ]]; }

is_kept() {
  local path
  for path in ${KEEP[@]+"${KEEP[@]}"}; do
    if below "$1" "$path"; then return 0; fi
  done
  return 1
}

add_root() {
  local known
  for known in ${ROOTS[@]+"${ROOTS[@]}"}; do
    if below "$1" "$known"; then return 0; fi
  done
  ROOTS+=("$1")
  ROOT_COUNT=$((ROOT_COUNT + 1))
}

# Every place to search: what is NGT's own, then, link by link, what it leads to.
find_roots() {
  local link i=0
  for link in "${HOME_OF_NGT%/}"/nutanix "${HOME_OF_NGT%/}"/nutanix.*; do
    if [[ -L $link ]]; then
      follow "$link"
    elif [[ -e $link ]]; then
      add_root "$link"
    fi
  done
  while ((i < ROOT_COUNT)); do
    while IFS= read -r -d '' link; do follow "$link"; done < <(seek "${ROOTS[i]}" -type l -print0)
    i=$((i + 1))
  done
}

follow() {
  local left
  if ! resolve "$1"; then
    problem 13 "$1 leads nowhere: mend or remove the link, and run this again"
    return 0
  fi
  if [[ -f $RESOLVED && ${1##*/} == ngt_config.json ]]; then
    IS_CONFIG[$RESOLVED]=yes
    # What a run that was killed in the middle of an edit has left beside it.
    for left in "${RESOLVED%/*}"/.ngt_config.json.ngt-generalize-*; do
      [[ ! -f $left ]] || add_root "$left"
    done
  fi
  LINKS+=("$1")
  TARGETS+=("$RESOLVED")
  LINK_COUNT=$((LINK_COUNT + 1))
  case $RESOLVED in
    / | /proc | /proc/* | /sys | /sys/*)
      problem 13 "$1 leads to $RESOLVED, which is not searched: remove the link, and run this again"
      ;;
    *) add_root "$RESOLVED" ;;
  esac
}

# find, whose end by a signal (there is no memory left, say) is a search that is not complete.
# Its exit code below that tells nothing: a grep that found nothing is one.
seek() {
  local status=0
  find "$@" 2>>"$WORK/errors" || status=$?
  ((status < 126)) || printf '%s\n' "$1: find ended with exit code $status" >>"$WORK/errors"
}

# A key is a marker on a line of its own, or one that base64 follows, at once or in the next
# lines and alone there; a program that only knows the marker has neither, whatever long names
# and paths stand in it.
holds_key() {
  local code='[A-Za-z0-9+/]{40}' apart='([^[:alnum:]]|\\[nrt]){0,20}'
  grep -qaE "^[^[:alnum:]]{0,3}${MARKER}[[:space:]]*\$|$MARKER$apart$code" -- "$1" 2>>"$WORK/errors" ||
    grep -aE -A 8 -e "$MARKER" -- "$1" 2>>"$WORK/errors" |
    grep -aE "^[^[:alnum:]+/]*${code}[A-Za-z0-9+/]*={0,2}(\\\\[nr])*[^[:alnum:]]*\$" >/dev/null
}

# -z: the value may stand on another line than its name.
holds_uuid() {
  grep -qazE "ngt_uuid[^[:alnum:]]{1,16}$UUID" -- "$1" 2>>"$WORK/errors" || {
    [[ $1 != *.py && $1 != *.pyc ]] &&
      grep -qazE '"ngt_uuid"[[:space:]]*:[[:space:]]*"[^"]' -- "$1" 2>>"$WORK/errors"
  }
}

# With isolated options, and no current directory to import from.
python() {
  "$PYTHON" -E -s -c '
import sys
sys.path[:] = [entry for entry in sys.path if entry.startswith("/")]
exec(sys.stdin.read())
' "$@"
}

# 0: the configuration holds what is one VM's; 1: it does not; 2: it cannot be told.
judge_config() {
  local status=0
  [[ -s $1 ]] || return 1
  if [[ -z $PYTHON ]]; then
    # Without a parser: an escape in a name hides it, so an escaped letter counts.
    grep -qaE "\"($ONE_VMS)\"|\\\\u00[2-7]" -- "$1" 2>>"$WORK/errors" || status=1
    return "$status"
  fi
  python "$1" "$ONE_VMS" <<'PYTHON' 2>/dev/null || status=$?
import io, json, sys
names, held = sys.argv[2].split("|"), []
# At any depth, and where a later key of the same name hides it from a parser's result.
def look(pairs):
    held.extend(name for name, value in pairs if name in names)
try:
    with io.open(sys.argv[1], encoding="utf-8-sig") as file:
        json.load(file, object_pairs_hook=look)
except ValueError:
    sys.exit(3)
sys.exit(0 if held else 4)
PYTHON
  case $status in
    0) return 0 ;;
    4) return 1 ;;
    3) if grep -qaE "($ONE_VMS)" -- "$1" 2>>"$WORK/errors"; then return 0; else return 2; fi ;;
    *) return 2 ;;
  esac
}

classify() {
  local file=$1 name=${1##*/} status=0
  [[ -z ${KNOWN[$file]+x} ]] || return 0
  KNOWN[$file]=yes
  if [[ ! -f $file ]]; then
    problem 13 "$file is not a regular file: it was not looked into"
  elif [[ ! -r $file ]]; then
    problem 13 "$file cannot be read"
  elif holds_key "$file"; then
    KEYS+=("$file")
  elif [[ $name == ngt_config.json || -n ${IS_CONFIG[$file]+x} ]]; then
    judge_config "$file" || status=$?
    case $status in
      0) CONFIGS+=("$file") ;;
      2) problem 13 "$file is not JSON: whether it holds identity cannot be told" ;;
    esac
  elif [[ $name == .ngt_config.json.ngt-generalize-* ]] ||
    { [[ $name == *ngt_config.json* ]] && judge_config "$file"; }; then
    COPIES+=("$file")
  elif holds_uuid "$file"; then
    # Another's list of VMs is not ours to edit.
    if is_own "$file"; then COPIES+=("$file"); elif ! is_kept "$file"; then VALUES+=("$file"); fi
  elif is_own "$file"; then
    if [[ $name == *client-key* || $name == *client-cert* || $name == *ca-cert.pem* ]]; then
      NAMED+=("$file")
    fi
  elif [[ $name == client-key* && -s $file ]]; then
    is_kept "$file" || FOREIGN+=("$file")
  elif [[ $name == client-cert* || $name == ca-cert.pem* ]]; then
    if is_ngts "$file"; then NAMED+=("$file"); else OTHERS+=("$file"); fi
  fi
  if [[ $name == *client-cert* && -r $file ]] && is_ngts "$file"; then CERTIFICATES+=("$file"); fi
}

# Others have a client-cert.pem, too, such as MySQL.
is_ngts() { is_own "$1" || has_config "${1%/*}"; }

has_config() {
  local config
  for config in "$1"/ngt_config.json*; do
    if [[ -f $config ]]; then return 0; fi
  done
  return 1
}

candidates() {
  seek "$@" ! -type d ! -type l \( -name '*client-key*' -o -name '*client-cert*' \
    -o -name '*ca-cert.pem*' -o -name '*ngt_config.json*' \) -print0
  seek "$@" -type f -exec grep -laZE -e 'PRIVATE KEY|ngt_uuid' -- {} +
}

# A copy of the value in a log, or anywhere else: only known while a configuration has it.
find_values() {
  local value values=() file root
  for file in ${CONFIGS[@]+"${CONFIGS[@]}"} ${COPIES[@]+"${COPIES[@]}"}; do
    while read -r value; do values+=(-e "$value"); done < <(
      grep -oazE "ngt_uuid[^[:alnum:]]{1,16}$UUID" -- "$file" 2>>"$WORK/errors" | grep -oaE "$UUID"
    )
  done
  for file in /tmp/ngt_install_log_*.txt; do
    [[ -f $file && ! -L $file ]] || continue
    if holds_key "$file" || holds_uuid "$file" ||
      { [[ -n ${values[*]-} ]] && grep -qaiF "${values[@]}" -- "$file" 2>>"$WORK/errors"; }; then
      INSTALL_LOGS+=("$file")
    fi
  done
  [[ -n ${values[*]-} ]] || return 0
  for root in ${ROOTS[@]+"${ROOTS[@]}"}; do
    while IFS= read -r -d '' file; do
      [[ -z ${KNOWN[$file]+x} ]] || continue
      KNOWN[$file]=yes
      case $file in
        *.log | *.log.* | */log/* | */logs/*) if is_own "$file"; then LOGS+=("$file"); else VALUES+=("$file"); fi ;;
        *) if is_own "$file" || ! is_kept "$file"; then VALUES+=("$file"); fi ;;
      esac
    done < <(seek "$root" -type f -exec grep -laiZF "${values[@]}" -- {} +)
  done
}

search() {
  local file root i
  ROOTS=() LINKS=() TARGETS=() KNOWN=() IS_CONFIG=()
  ROOT_COUNT=0 LINK_COUNT=0
  KEYS=() CONFIGS=() COPIES=() NAMED=() FOREIGN=() CERTIFICATES=() LOGS=() VALUES=() INSTALL_LOGS=() OTHERS=()
  : >"$WORK/errors"
  find_roots
  for root in ${ROOTS[@]+"${ROOTS[@]}"}; do
    while IFS= read -r -d '' file; do classify "$file"; done < <(candidates "$root")
  done
  # A certificate by the link that leads to it, whatever it is called itself.
  for ((i = 0; i < LINK_COUNT; i++)); do
    case ${LINKS[i]##*/} in
      *client-cert*)
        if [[ -f ${TARGETS[i]} ]] && is_ngts "${LINKS[i]}"; then CERTIFICATES+=("${TARGETS[i]}"); fi
        ;;
      *client-key*)
        [[ ! -f ${TARGETS[i]} || -n ${KNOWN[${TARGETS[i]}]+x} ]] || is_kept "${TARGETS[i]}" ||
          FOREIGN+=("${TARGETS[i]}")
        ;;
      ngt_config.json) [[ ! -f ${TARGETS[i]} ]] || classify "${TARGETS[i]}" ;;
    esac
  done
  if [[ $HOME_OF_NGT != / ]]; then
    while IFS= read -r -d '' file; do classify "$file"; done \
      < <(candidates "$HOME_OF_NGT" -path "$HOME_OF_NGT/nutanix" -prune -o)
  fi
  find_values
  while IFS= read -r file; do problem 13 "not searched: $file"; done <"$WORK/errors"
  sort_keys
}

# Whether a key belongs to a certificate, by what both say of the public key.
is_pair() {
  local public
  if command -v openssl >/dev/null; then
    public=$(openssl x509 -in "$2" -noout -pubkey 2>/dev/null </dev/null) || return 1
    [[ -n $public && $public == "$(openssl pkey -in "$1" -passin pass: -pubout 2>/dev/null </dev/null)" ]]
  elif [[ -n $PYTHON ]]; then
    python "$1" "$2" <<'PYTHON' 2>/dev/null
import ssl, sys
context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", ssl.PROTOCOL_SSLv23))
context.load_cert_chain(sys.argv[2], sys.argv[1], lambda: b"")
PYTHON
  else
    return 1
  fi
}

belongs() {
  local certificate
  for certificate in ${CERTIFICATES[@]+"${CERTIFICATES[@]}"}; do
    if is_pair "$1" "$certificate"; then return 0; fi
  done
  return 1
}

# An archive, or a bundle with another's key, is not NGT's to be removed.
is_key_alone() {
  local markers
  [[ -n $(find "$1" -maxdepth 0 -size -129) ]] || return 1
  markers=$(grep -oaE -e "$MARKER" -- "$1") || return 1
  # By -z a NUL ends a line.
  [[ $markers != *$'\n'* && $(grep -caz '' -- "$1") == 1 ]]
}

has_other_names() {
  local names
  names=$(find "$1" -maxdepth 0 -printf '%n') && ((names > 1))
}

# A second name outside of what was searched: overwriting this one would overwrite that.
is_shared() {
  local inode file found=0 names
  has_other_names "$1" || return 1
  read -r names inode < <(find "$1" -maxdepth 0 -printf '%n %D:%i\n')
  for file in "${KEYS[@]}"; do
    if [[ $(find "$file" -maxdepth 0 -printf '%D:%i') == "$inode" ]]; then found=$((found + 1)); fi
  done
  ((found < names))
}

sort_keys() {
  local key ours=()
  for key in ${KEYS[@]+"${KEYS[@]}"}; do
    if is_own "$key" && ! is_shared "$key"; then
      ours+=("$key")
    elif belongs "$key"; then
      if is_own "$key" || is_key_alone "$key"; then ours+=("$key"); else FOREIGN+=("$key"); fi
    elif is_own "$key" || ! is_kept "$key"; then
      FOREIGN+=("$key")
    fi
  done
  KEYS=(${ours[@]+"${ours[@]}"})
}

report_foreign() {
  local file
  for file in ${FOREIGN[@]+"${FOREIGN[@]}"}; do
    problem 15 "$file: a private key that was not shown to be NGT's, or is not alone in this file;" \
      "nothing was done to it. Remove it, or the link that leads to it, or say --keep $file"
  done
  for file in ${VALUES[@]+"${VALUES[@]}"}; do
    problem 15 "$file holds an ngt_uuid, and is no copy of the configuration:" \
      "look at it, and remove it$(is_own "$file" || printf '%s' ", or say --keep")"
  done
}

# One pass suffices: an image is copied block by block, not read under a microscope.
erase() { shred --iterations=1 --zero -- "$1" && rm -f -- "$1"; }

# What is no secret is not overwritten under a name that it has elsewhere: the same content may
# be another's certificate, or the configuration itself where an edit was killed.
discard() { if has_other_names "$1"; then rm -f -- "$1"; else erase "$1"; fi; }

# The links to what was removed would lead nowhere.
remove_links_to() {
  local i
  for ((i = 0; i < LINK_COUNT; i++)); do
    [[ ${TARGETS[i]} != "$1" ]] || rm -f -- "${LINKS[i]}" || return 1
  done
}

remove() {
  if "$1" "$2" && remove_links_to "$2"; then
    say "removed $2"
  else
    problem 14 "$2 could not be removed: do not capture this VM"
  fi
}

# The new text beside the old one, then in its place: whoever looks sees one of them whole.
# The old one keeps a name until it is overwritten.
edit() {
  local why new=${1%/*}/.ngt_config.json.ngt-generalize-new old=${1%/*}/.ngt_config.json.ngt-generalize-old
  if [[ -z $PYTHON ]]; then
    problem 11 "no Python here: ngt_uuid cannot be taken out of $1"
    return 0
  fi
  if [[ ! -e $old ]] || discard "$old"; then
    if python "$1" "$new" "$old" "$ONE_VMS" <<'PYTHON' 2>"$WORK/edit" && discard "$old"; then
import collections, io, json, os, sys
path, new, old, names = sys.argv[1:]
taken = []
def keep(pairs):
    taken.extend(value for name, value in pairs if name == "ngt_uuid")
    return collections.OrderedDict(pair for pair in pairs if pair[0] not in names.split("|"))
with io.open(path, encoding="utf-8-sig") as file:
    text = json.dumps(json.load(file, object_pairs_hook=keep))
if any(value and json.dumps(value).strip('"').lower() in text.lower() for value in taken):
    sys.exit("its value stands in it under another name, too")
if os.path.lexists(new):
    os.unlink(new)
status = os.stat(path)
descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
with os.fdopen(descriptor, "w") as file:
    file.write(text)
    file.flush()
    os.fchown(file.fileno(), status.st_uid, status.st_gid)
    os.fchmod(file.fileno(), status.st_mode & 0o7777)
    # The SELinux label and ACLs.
    for name in getattr(os, "listxattr", lambda path: ())(path):
        os.setxattr(new, name, os.getxattr(path, name))
    os.fsync(file.fileno())
os.link(path, old)
os.rename(new, path)
PYTHON
      say "took ngt_uuid out of $1"
      return 0
    fi
  fi
  why=$(sed -n '$p' "$WORK/edit" 2>/dev/null) || why=
  problem 14 "ngt_uuid could not be taken out of $1: do not capture this VM${why:+ ($why)}"
}

stop_services() {
  local unit
  command -v systemctl >/dev/null || return 0
  for unit in ${SERVICES[@]+"${SERVICES[@]}"}; do
    if ! systemctl stop "$unit" 2>/dev/null && systemctl is-active --quiet "$unit" 2>/dev/null; then
      problem 14 "$unit cannot be stopped, and may write the identity back"
    fi
  done
}

generalize() {
  local file i
  stop_services
  for file in ${KEYS[@]+"${KEYS[@]}"}; do remove erase "$file"; done
  for file in ${LOGS[@]+"${LOGS[@]}"}; do remove discard "$file"; done
  # While the configuration can still tell what is in them.
  remove_install_logs
  # While another file has the value, the configuration tells the next run what to look for.
  if [[ -z ${VALUES[*]-} ]]; then
    for file in ${COPIES[@]+"${COPIES[@]}"}; do
      if is_own "$file" || [[ ${file##*/} == .ngt_config.json.ngt-generalize-* ]]; then
        remove discard "$file"
      else
        edit "$file"
      fi
    done
    for file in ${CONFIGS[@]+"${CONFIGS[@]}"}; do edit "$file"; done
  fi
  # The certificates tell which keys are NGT's, so they go last.
  [[ -z $WORST ]] || return 0
  for file in ${NAMED[@]+"${NAMED[@]}"}; do remove discard "$file"; done
  for ((i = 0; i < LINK_COUNT; i++)); do
    is_ngts "${LINKS[i]}" || continue
    case ${LINKS[i]##*/} in
      *client-cert* | *ca-cert.pem*)
        [[ ! -L ${LINKS[i]} || ! -f ${TARGETS[i]} ]] || rm -f -- "${LINKS[i]}" ||
          problem 14 "${LINKS[i]} could not be removed"
        [[ ! -e ${TARGETS[i]} ]] || say "left ${TARGETS[i]}: a certificate that is not in NGT's tree"
        ;;
    esac
  done
  sync
}

# What this VM's installation logged is no clone's business. Never overwritten: in /tmp the name
# may be anybody's link.
remove_install_logs() {
  rm -f /tmp/ngt_install_log_*.txt || problem 14 "the installation's logs in /tmp could not be removed"
}

found() {
  local list
  list=(
    ${KEYS[@]+"${KEYS[@]}"} ${CONFIGS[@]+"${CONFIGS[@]}"} ${COPIES[@]+"${COPIES[@]}"}
    ${NAMED[@]+"${NAMED[@]}"} ${LOGS[@]+"${LOGS[@]}"}
    ${INSTALL_LOGS[@]+"${INSTALL_LOGS[@]}"}
  )
  FOUND=(${list[@]+"${list[@]}"})
  local i
  for ((i = 0; i < LINK_COUNT; i++)); do
    is_ngts "${LINKS[i]}" || continue
    case ${LINKS[i]##*/} in
      *client-cert* | *ca-cert.pem*) [[ ! -f ${TARGETS[i]} ]] || FOUND+=("${LINKS[i]}") ;;
    esac
  done
}

where() {
  local there="$PREFIX/nutanix" root elsewhere=()
  [[ -e $there ]] || there="$PREFIX (there is no $PREFIX/nutanix)"
  for root in ${ROOTS[@]+"${ROOTS[@]}"}; do is_own "$root" || elsewhere+=("$root"); done
  printf '%s' "$there${elsewhere[*]+, nor in ${elsewhere[*]}, where links lead}"
}

main() {
  local file
  ((EUID == 0)) || fail 11 "not root: run this with sudo"
  if ! resolve "$PREFIX" || [[ ! -d $RESOLVED ]]; then
    fail 12 "there is no directory $PREFIX: nothing was searched"
  fi
  HOME_OF_NGT=$RESOLVED
  WORK=$(mktemp -d) || fail 11 "no directory to work in: is /tmp full, or read-only?"
  find_python || true

  search
  found
  report_foreign
  if [[ -n ${FOUND[*]-} && -n $CHECK_ONLY ]]; then
    say "identity:"
    for file in "${FOUND[@]}"; do
      clean "$file"
      printf '%s\n' "$CLEAN"
    done
    end "${WORST:-1}"
  elif [[ -n ${FOUND[*]-} ]]; then
    generalize
    [[ -z $WORST ]] || fail "$WORST" "not all of it is out: do not capture this VM"
    search
    found
    report_foreign
    [[ -z ${FOUND[*]-} ]] ||
      fail 14 "${FOUND[0]} came back while it was removed: is the agent still running?"
  fi
  [[ -z $WORST ]] || fail "$WORST" "that no identity is left cannot be said: do not capture this VM"
  for file in ${OTHERS[@]+"${OTHERS[@]}"}; do
    say "left $file: a certificate that was not shown to be NGT's"
  done
  say "no identity in $(where)"
  if [[ -z $CHECK_ONLY ]]; then
    remove_install_logs
    [[ -z $WORST ]] || fail "$WORST" "not all of it is out: do not capture this VM"
    say "done: shut down now, and capture"
  fi
  end 0
}

leave_current_directory
while (($#)); do
  case $1 in
    --check) CHECK_ONLY=yes ;;
    --keep)
      [[ -n ${2-} ]] || fail 2 "$1 wants a path"
      case $2 in /*) resolve "$2" ;; *) resolve "$HERE/$2" ;; esac || fail 2 "--keep: there is no $2"
      KEEP+=("$RESOLVED")
      shift
      ;;
    *) fail 2 "what is $1? usage: ngt-generalize [--check] [--keep PATH]..." ;;
  esac
  shift
done
main
