{#
# SPDX-License-Identifier: Apache-2.0
summary = "On a CVM: new NGT certificates for some VMs, mount, and check by ncli"

[parameters.vms]
type = "list"
pattern = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
help = "UUIDs of the VMs (not their ngt_uuid), as ncli vm list prints them"

[parameters.method]
type = "choice"
choices = ["refresh", "recreate"]
default = "refresh"
help = "refresh: newer AOS renews in place; recreate: older AOS deletes the entity and creates it again"

[parameters.wait]
type = "integer"
default = 60
help = "seconds to wait for ncli to show what a step has changed"

[parameters.step_timeout]
type = "integer"
default = 120
help = "seconds after which a command that does not end is stopped, and counts as failed"
#}
#!/bin/bash
# Gives VMs new NGT certificates. Runs on a CVM, as nutanix.
#
#   cluster-runbook.sh [--yes | --check]
#
#   --yes     do it; without, the commands are only printed
#   --check   only ask ncli for the state of each VM
#
# A step has worked when the tool's last line says kNoError and nothing else that begins with
# k, and when ncli, asked before and after it, shows the change: the entity gone, there again,
# the disc out, the disc in. Gone is what ncli's list, which was had, does not hold. A refresh changes nothing that ncli shows: there the tool's word is
# all there is. A record that is not this VM's is not believed. A disc that is mounted already
# holds the old certificate, and is ejected first. A VM without an entity, as a run leaves it
# that stopped in the middle, gets one. Nothing is read from standard input.
# Not looked at: whether the agent has taken the new certificate.
#
# Afterwards restart the agent in each guest (systemctl restart ngt_guest_agent), or reboot
# it: the agent takes the new certificate from the disc, and the cluster ejects the disc.
#
# Exit codes: 0 all done, or printed; 1 a VM failed: the end names each, and the commands that
# mend it; 2 usage; 11 no CVM; 130 interrupted: the step that ran was let end, and what is open
# is named.
#
# From: ngtpatch render cluster-runbook.sh
set -euo pipefail

readonly VMS=({{ vms | sh }})
readonly METHOD={{ method | sh }}
readonly WAIT={{ wait | sh }}
readonly STEP_TIMEOUT={{ step_timeout | sh }}
readonly CLI=nutanix_guest_tools_cli

DO_IT=
CLEAN=
OUTPUT=
LAST=
SAID=
RECORD=
ENABLED=
MOUNTED=
PENDING=
LIMIT=()
FAILED=()
REPORT=()

# What tools print goes to a terminal, line by line, without what it would obey.
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
  printf '%s\n' "$CLEAN"
}

# Runs a command: its output into OUTPUT, its last line that is not blank into LAST.
ask() {
  local line status=0
  OUTPUT=$(${LIMIT[@]+"${LIMIT[@]}"} "$@" </dev/null 2>&1) || status=$?
  LAST=
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line != *[![:space:]]* ]] || LAST=$line
  done < <(printf '%s' "$OUTPUT")
  if [[ -n ${LIMIT[*]-} ]]; then
    case $status in
      124) LAST="no answer within $STEP_TIMEOUT seconds" ;;
      137) LAST="killed: no answer within $STEP_TIMEOUT seconds, or by the system" ;;
    esac
  fi
  return "$status"
}

# Whether the last line answers with an error: any k... but kNoError. A line of log, which may
# hold such a word as well, is no answer: that is a result, or ends in the word.
names_error() {
  local word words
  [[ $LAST == *result* || $LAST =~ (^|[:=])[[:space:]]*k[A-Z][A-Za-z0-9_]*[[:space:]]*$ ]] || return 1
  # Not by a here-string: older bash writes a file for it, and without room would find no word.
  # shellcheck disable=SC2206  # only words are left
  words=(${LAST//[!A-Za-z0-9_]/ })
  for word in ${words[@]+"${words[@]}"}; do
    if [[ $word =~ ^k[A-Z] && $word != kNoError ]]; then return 0; fi
  done
  return 1
}

# The tool logs a page of its own before the answer, which is its last line.
entity() {
  local status=0
  say "+ $CLI $*"
  [[ -n $DO_IT ]] || return 0
  ask "$CLI" "$@" || status=$?
  if ((status == 0)) && ! names_error && [[ $LAST =~ result_vec:[[:space:]]*kNoError ]]; then
    say "  $LAST"
    return 0
  fi
  say "  failed with exit code $status: ${LAST:-no answer}"
  return 1
}

# What ncli says of one VM into RECORD, ENABLED and MOUNTED. 1: nothing; 2: of another VM.
look() {
  local line key value others='' own=''
  RECORD='' ENABLED='' MOUNTED=''
  ask ncli ngt get "vm-id=$1" || return 1
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line =~ ^[[:space:]]*([^:]*[^:[:space:]])[[:space:]]*:[[:space:]]*(.*[^[:space:]])[[:space:]]*$ ]] || continue
    key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    if [[ $key == 'VM Id' ]]; then
      own=
      value=${value##*::}
      if [[ ${value,,} == "${1,,}" ]]; then own=yes; else others=yes; fi
    elif [[ $key == 'Tools ISO Mounted' && -z $own ]]; then
      others=yes
    fi
    [[ -n $own ]] || continue
    RECORD+="  $line"$'\n'
    case $key in
      'NGT Enabled') ENABLED=$value ;;
      'Tools ISO Mounted') MOUNTED=$value ;;
    esac
  done < <(printf '%s' "$OUTPUT")
  if [[ -n $RECORD ]]; then return 0; fi
  if [[ -n $others ]]; then return 2; fi
  return 1
}

show() {
  local line status=0
  say "+ ncli ngt get vm-id=$1"
  [[ -n $DO_IT ]] || return 0
  look "$1" || status=$?
  if ((status != 0)); then
    if ((status == 2)); then LAST="answered about another VM"; fi
    say "  ncli has no record of $1: ${LAST:-no answer}"
    return "$status"
  fi
  while IFS= read -r line; do say "$line"; done < <(printf '%s' "$RECORD")
}

# Whether ncli lists it at all; 2: the list cannot be had, so that nothing follows from it.
is_listed() {
  ask ncli ngt list || return 2
  if [[ ${OUTPUT,,} == *"::${1,,}"* ]]; then return 0; fi
  # ncli may say so and end with 0.
  if [[ $'\n'${OUTPUT,,} =~ $'\n'[[:space:]]*error ]]; then return 2; fi
  return 1
}

# Asked for by name.
# shellcheck disable=SC2317
has_entity() { [[ -n $RECORD && $ENABLED != false ]]; }
# An answer without a record may be a failure that says nothing: the list has to be had.
has_no_entity() {
  local status=0
  if [[ -n $RECORD ]]; then
    [[ $ENABLED != true && -n $ENABLED ]]
    return
  fi
  is_listed "$1" || status=$?
  ((status == 1))
}
# shellcheck disable=SC2317
is_mounted() { [[ $MOUNTED == true ]]; }
# shellcheck disable=SC2317
is_ejected() { [[ -n $RECORD && $MOUNTED == false ]]; }

# Until ncli shows it: the cluster may take a moment.
becomes() {
  local deadline=$((SECONDS + WAIT)) status
  [[ -n $DO_IT ]] || return 0
  while :; do
    status=0
    look "$2" || status=$?
    if ((status != 2)) && "$1" "$2"; then return 0; fi
    if ((SECONDS >= deadline)); then return 1; fi
    sleep 2 2>/dev/null || true
  done
}

# What failed, and the commands that mend it, for the end.
failed() {
  local vm=$1 what=$2 command
  shift 2
  FAILED+=("$vm")
  REPORT+=("$vm: $what")
  for command; do REPORT+=("  $command"); done
  say "  $what"
  say "  Again: $1"
  PENDING=
}

eject() {
  say "+ ncli ngt unmount vm-id=$1"
  [[ -n $DO_IT ]] || return 0
  ask ncli ngt unmount "vm-id=$1" || true
  SAID=$LAST
  becomes is_ejected "$1"
}

renew() {
  local vm=$1 status=0 answer again=("and this script again")
  local create="$CLI create_vm_tools_entity $vm" mount="$CLI mount_guest_tools $vm"
  show "$vm" || status=$?
  if ((status == 2)); then
    failed "$vm" "ncli answered about another VM: nothing was done" "ncli ngt get vm-id=$vm"
    return
  fi
  if ((status == 1)); then
    SAID=$LAST status=0
    is_listed "$vm" || status=$?
    if ((status != 1)); then
      failed "$vm" "ncli does not say how it is now, so nothing was done: ${SAID:-no answer}" "ncli ngt get vm-id=$vm"
      return
    fi
    status=0
  fi
  if [[ -z $DO_IT ]] || is_mounted; then
    if ! eject "$vm"; then
      failed "$vm" "its old disc is still mounted; ncli said: ${SAID:-nothing}" "ncli ngt unmount vm-id=$vm" "${again[@]}"
      return
    fi
  fi
  if [[ $METHOD == refresh ]]; then
    if [[ -n $DO_IT ]] && has_no_entity "$vm"; then
      failed "$vm" "it has no NGT entity to refresh, by what ncli says" "$create" "$mount"
      return
    fi
    if ! entity refresh_vm_tools_entity "$vm"; then
      failed "$vm" "refresh: ${LAST:-no answer}" "$CLI refresh_vm_tools_entity $vm" "$mount"
      return
    fi
  else
    if [[ -n $DO_IT ]] && has_no_entity "$vm"; then
      say "  it has no NGT entity: a run may have stopped here; it gets one"
    else
      PENDING="$create"
      if ! entity delete_vm_tools_entity "$vm"; then
        answer=$LAST status=0
        look "$vm" || status=$?
        if ((status == 2)) || ! has_no_entity "$vm"; then
          failed "$vm" "delete: ${answer:-no answer}" "$CLI delete_vm_tools_entity $vm" "$create" "$mount"
          return
        fi
      elif [[ -n $ENABLED ]] && ! becomes has_no_entity "$vm"; then
        answer='does not show that the entity is gone'
        if has_entity; then answer='still shows the entity'; fi
        failed "$vm" "delete: answered kNoError, but ncli $answer" \
          "$CLI delete_vm_tools_entity $vm" "$create" "$mount"
        return
      fi
    fi
    # From here on the VM has no NGT at all until it is created again.
    PENDING="$create"
    if ! entity create_vm_tools_entity "$vm"; then
      failed "$vm" "it has lost its NGT entity: create: ${LAST:-no answer}" "$create" "$mount"
      return
    fi
    if ! becomes has_entity "$vm"; then
      failed "$vm" "create: answered kNoError, but ncli shows no entity" "$create" "$mount"
      return
    fi
  fi
  PENDING="$mount"
  if ! becomes is_ejected "$vm"; then
    failed "$vm" "mount: ncli does not show that no disc is mounted, so none was" "ncli ngt unmount vm-id=$vm" "$mount"
    return
  fi
  # What mounting prints when it worked was never published; ncli says whether it did.
  say "+ $mount"
  if [[ -n $DO_IT ]]; then
    status=0
    ask "$CLI" mount_guest_tools "$vm" || status=$?
    SAID=$LAST
    if ((status != 0)) || names_error; then
      failed "$vm" "mount: ${LAST:-exit code $status}" "$mount"
      return
    fi
    if ! becomes is_mounted "$vm"; then
      failed "$vm" "mount: ncli shows no disc that was not there before; the tool said: ${SAID:-nothing}" "$mount"
      return
    fi
  fi
  PENDING=
  show "$vm" || true
  say "  now restart the agent in the guest"
}

report() {
  local line
  [[ -n ${FAILED[*]-} ]] || return 0
  say "failed: ${FAILED[*]}" >&2
  for line in "${REPORT[@]}"; do say "$line" >&2; done
}

# shellcheck disable=SC2317  # the trap runs it
interrupted() {
  report
  [[ -z $PENDING ]] || say "interrupted before: $PENDING" >&2
  exit 130
}

# A function, so that all of it is read before anything runs: bash -s reads it from a pipe.
main() {
  local vm program
  # Both would be a contradiction, and a word that is not known might be either.
  case $* in
    '') ;;
    --yes | --check) DO_IT=yes ;;
    *)
      say "usage: cluster-runbook.sh [--yes | --check]" >&2
      exit 2
      ;;
  esac
  if [[ -n $DO_IT ]]; then
    for program in "$CLI" ncli; do
      command -v "$program" >/dev/null || {
        say "there is no $program here: run this on a CVM" >&2
        exit 11
      }
    done
  fi
  # It gives the tool a process group of its own: an interruption lets the step end first.
  if command -v timeout >/dev/null; then LIMIT=(timeout -k 10 "$STEP_TIMEOUT"); fi
  trap interrupted INT TERM HUP
  for vm in "${VMS[@]}"; do
    if [[ ${1-} == --check ]]; then
      show "$vm" || failed "$vm" "ncli shows no record of it: ${LAST:-no answer}" "ncli ngt get vm-id=$vm"
    else
      renew "$vm"
    fi
  done
  [[ -n $DO_IT ]] || say "Nothing was done. Run it again with --yes."
  report
  [[ -z ${FAILED[*]-} ]] || exit 1
  exit 0
}

main "$@"
