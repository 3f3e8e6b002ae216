# SPDX-License-Identifier: Apache-2.0
"""Runs a command beside an sshd on loopback that plays the guest.

    python3 guest.py packer build ...

The sshd listens on a free port, accepts one key made for this run, and knows its user only by
that. The command finds it in PKR_VAR_guest_port, _user, _key and _home; afterwards sshd and
guest are gone. Only the standard library, OpenSSH, and bsdtar to unpack the disc with.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {home}/host_key
AuthorizedKeysFile {home}/user_key.pub
PidFile none
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""


def main() -> int:
    """Return the exit code of the command in the arguments."""
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if sshd is None or shutil.which("bsdtar") is None:
        sys.exit("guest.py needs sshd and bsdtar: apt-get install openssh-server libarchive-tools")
    home = Path(tempfile.mkdtemp(prefix="ngt-guest-"))
    daemon = None
    try:
        for key in ("host_key", "user_key"):
            make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)]
            subprocess.run(make_key, check=True)
        port = free_port()
        (home / "sshd_config").write_text(CONFIG.format(port=port, home=home))
        if os.geteuid() == 0:
            # Where sshd of root drops its privileges; a package's service makes it at boot.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = (home / "sshd.log").open("w")
        command = [sshd, "-D", "-e", "-f", str(home / "sshd_config")]
        daemon = subprocess.Popen(command, stderr=log)
        wait_for(port, daemon, home / "sshd.log")
        guest = home / "guest"
        guest.mkdir()
        variables = {
            "PKR_VAR_guest_port": str(port),
            "PKR_VAR_guest_user": pwd.getpwuid(os.getuid()).pw_name,
            "PKR_VAR_guest_key": str(home / "user_key"),
            "PKR_VAR_guest_home": str(guest),
        }
        return subprocess.run(sys.argv[1:], env={**os.environ, **variables}, check=False).returncode
    finally:
        if daemon is not None:
            daemon.terminate()
            daemon.wait()
        shutil.rmtree(home)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when somebody answers on *port*."""
    for _ in range(100):
        if daemon.poll() is not None:
            sys.exit(f"sshd ended: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"sshd does not answer on port {port}")


if __name__ == "__main__":
    sys.exit(main())
