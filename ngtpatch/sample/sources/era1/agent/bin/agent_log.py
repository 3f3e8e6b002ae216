# SPDX-License-Identifier: Apache-2.0
"""What the agent says, and where it keeps it."""
import sys

import sample_guest

# A str of Python 2 may hold this as it stands.
WINDOWS_LOG = "C:\Program Files\NGT sample\agent.log"
REPORT = "/usr/local/nutanix/report.txt"


def error(text):
  print >>sys.stderr, "ERROR: " + text


def yes_or_no(question):
  """Asks, and takes any trouble for a no, as a report to the cluster must be made."""
  try:
    return question() and "yes" or "no"
  except StandardError, ex:
    error("%s: %s" % (ex.__class__.__name__, ex))
    return "no"


def keep(text):
  path = sample_guest.inside(REPORT)
  try:
    report = open(path, "w")
    report.write(text)
    report.close()
  except IOError, ex:
    error(`ex`)
  return path
