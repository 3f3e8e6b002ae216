# SPDX-License-Identifier: Apache-2.0
"""What the agent says."""
import sys


def error(text):
  print("ERROR: " + text, file=sys.stderr)


def yes_or_no(question):
  """Asks, and takes any trouble for a no, as a report to the cluster must be made."""
  try:
    return "yes" if question() else "no"
  except Exception as ex:
    error("%s: %s" % (ex.__class__.__name__, ex))
    return "no"
