# SPDX-License-Identifier: Apache-2.0
"""The log, the configuration and the payload."""
import json
import os
import re
import shutil
import tarfile
import time
import traceback

import sample_guest

INSTALL_DIR = "/usr/local/nutanix/ngt"
LOG_PATH = time.strftime("/tmp/ngt_install_log_%Y%m%d%H%M%S.txt")
SRC_DIR = os.path.dirname(os.path.abspath(__file__))
# config/ is three levels above src/: the two keep their places on the disc.
CONFIG_DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(SRC_DIR))), "config")


def log(message, console=True):
  if console:
    print(message)
  if sample_guest.has_a_root():
    path = sample_guest.inside(LOG_PATH)
    make_folder(os.path.dirname(path))
    with open(path, "a") as log_file:
      log_file.write(message + "\n")


def log_failure():
  log("ERROR: Failed to install Nutanix Guest Tools. Check %s  for logs." % LOG_PATH)


def log_traceback():
  text = traceback.format_exc()
  log(text, console=False)
  log(text.strip().splitlines()[-1])


def make_folder(path):
  if not os.path.isdir(path):
    os.makedirs(path)


def read_version(directory):
  """Returns the ngt_version in the ngt_config.json of a directory, or None."""
  path = os.path.join(directory, "ngt_config.json")
  if not os.path.exists(path):
    return None
  with open(path) as config_file:
    return json.load(config_file).get("ngt_version")


def as_numbers(version):
  return [int(part) for part in re.findall("[0-9]+", version)]


def copy_config(destination):
  """Copies every regular file that is directly in config/. The key stays root's alone."""
  make_folder(destination)
  for name in sorted(os.listdir(CONFIG_DIR)):
    if os.path.isfile(os.path.join(CONFIG_DIR, name)):
      copy = os.path.join(destination, name)
      shutil.copyfile(os.path.join(CONFIG_DIR, name), copy)
      os.chmod(copy, 0o600)


def unpack_agent(destination):
  make_folder(destination)
  payload = tarfile.open(os.path.join(SRC_DIR, "ngt_guest_agent.tar.gz"))
  try:
    for member in payload.getmembers():
      payload.extract(member, destination)
  finally:
    payload.close()
