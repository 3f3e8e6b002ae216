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
#}
#!/bin/bash
# Gives VMs new NGT certificates. Runs on a CVM, as nutanix.
#
#   cluster-runbook.sh [--yes] [--check]
#
#   --yes     do it; without, the commands are only printed
#   --check   only ask ncli for the state of each VM
#
# Afterwards restart the agent in each guest (systemctl restart ngt_guest_agent), or reboot
# it: the agent takes the new certificate from the disc, and the cluster ejects the disc.
#
# Exit codes: 0 all done, or printed; 1 a VM failed, see the end; 2 usage; 11 no CVM.
#
# From: ngtpatch render cluster-runbook.sh
set -euo pipefail

readonly VMS=({{ vms | sh }})
readonly CLI=nutanix_guest_tools_cli

DO_IT=
FAILED=()

say() { printf '%s\n' "$*"; }

# The tool logs a page of its own before the answer, which is its last line.
entity() {
  local answer
  say "+ $CLI $*"
  [[ -n $DO_IT ]] || return 0
  answer=$("$CLI" "$@" 2>&1 | tail -n 1) || true
  say "  $answer"
  [[ $answer == *'result_vec: kNoError'* ]]
}

renew() {
  local vm=$1
{% if method == "refresh" %}
  entity refresh_vm_tools_entity "$vm" || return 1
{% else %}
  entity delete_vm_tools_entity "$vm" || return 1
  # From here on the VM has no NGT at all until it is created again.
  if ! entity create_vm_tools_entity "$vm"; then
    say "  $vm has lost its NGT entity. Again: $CLI create_vm_tools_entity $vm"
    return 1
  fi
{% endif %}
  # What mounting prints when it worked was never published; ncli says whether it did.
  say "+ $CLI mount_guest_tools $vm"
  [[ -z $DO_IT ]] || "$CLI" mount_guest_tools "$vm" >/dev/null 2>&1 || true
}

show() {
  say "+ ncli ngt get vm-id=$1"
  [[ -z $DO_IT ]] || ncli ngt get "vm-id=$1"
}

is_mounted() {
  [[ -n $DO_IT ]] || return 0
  [[ $1 =~ Tools\ ISO\ Mounted\ *:\ *true ]]
}

case ${1-} in
  '') ;;
  --yes | --check) DO_IT=yes ;;
  *)
    say "usage: cluster-runbook.sh [--yes] [--check]" >&2
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

for vm in "${VMS[@]}"; do
  if [[ ${1-} == --check ]]; then
    show "$vm" || FAILED+=("$vm")
  elif renew "$vm" && state=$(show "$vm") && say "$state" && is_mounted "$state"; then
    say "  now restart the agent in the guest"
  else
    FAILED+=("$vm")
  fi
done

[[ -n $DO_IT ]] || say "Nothing was done. Run it again with --yes."
[[ -z ${FAILED[*]-} ]] || {
  say "failed: ${FAILED[*]}" >&2
  exit 1
}
