#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Plays the guest agent's start, as far as discs are concerned: it takes the identity from the disc
# with NGT's label if exactly one is inserted, and otherwise from none, of which it only writes a
# line into its log. Here a disc is a directory.
#
#   agent.sh DISCS CONFIG
set -eu

discs=("$1"/*/)
config=$2
if [ "${#discs[@]}" -ne 1 ] || [ ! -d "${discs[0]}" ]; then
  echo "agent: ${#discs[@]} discs, identity from none" >&2
  exit 3
fi
for name in ca-cert.pem client-cert.pem client-key.pem; do
  if [ -f "${discs[0]}/config/$name" ]; then
    install -m 600 "${discs[0]}/config/$name" "$config/$name"
  fi
done
python3 -I - "${discs[0]}/config/ngt_config.json" "$config/ngt_config.json" <<'END'
import json
import sys

disc, guest = sys.argv[1:]
with open(disc) as file:
    offered = json.load(file)
with open(guest) as file:
    values = json.load(file)
wanted = ("cluster_ip", "ngt_uuid", "port")
if all(key in offered for key in wanted):
    values.update((key, offered[key]) for key in wanted)
    with open(guest, "w") as file:
        json.dump(values, file)
END
echo "agent: connected by ${discs[0]}"
