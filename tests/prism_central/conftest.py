# SPDX-License-Identifier: Apache-2.0
"""The stand-in of Prism Central, running; and the command line, told how to reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import program
from tests.prism_central.stand_in import API_KEY, PASSWORD, TOKEN, USER, StandIn, State
from tests.told import printed
from tests.zygote import ask

# Whatever is printed may not hold one of these.
CANARIES = (PASSWORD, API_KEY, TOKEN)

WARM = "tests.prism_central.warm"


@dataclass
class Ran:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


@dataclass
class Central:
    """The stand-in and how to ask it."""

    server: StandIn
    authority: Path
    directory: Path
    zygote: str

    @property
    def state(self) -> State:
        return self.server.state

    @property
    def host(self) -> str:
        return self.server.host

    def environment(self, **more: str) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("NUTANIX_", "AWS_"))}
        return {
            **clean, "NGTPATCH_PRISM_USERNAME": USER, "NGTPATCH_PRISM_PASSWORD": PASSWORD,
            "NO_COLOR": "1", "COLUMNS": "200", "XDG_STATE_HOME": str(self.directory / "state"),
            **more,
        }  # fmt: skip

    def words(self, *arguments: object) -> list[str]:
        where = ["--prism", self.host, "--tls-ca", str(self.authority)]
        return [sys.executable, "-m", "ngtpatch", *map(str, arguments), *where]

    def run(self, *arguments: object, **environment: str) -> Ran:
        """Run ``ngtpatch`` in a process of its own, forked from one that has imported it.

        The exit code of one that was killed is negative.
        """
        nothing = os.open(os.devnull, os.O_RDONLY)
        outputs = [self.directory / f".{name}" for name in ("stdout", "stderr")]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        first, second = (os.open(path, flags, 0o600) for path in outputs)
        try:
            code = ask(
                self.zygote, self.words(*arguments)[3:], self.environment(**environment),
                str(self.directory), (nothing, first, second), self.started,
            )  # fmt: skip
        finally:
            for descriptor in (nothing, first, second):
                os.close(descriptor)
        return self.shown(Ran(code, *(path.read_text() for path in outputs)))

    def fresh(self, *arguments: object, **environment: str) -> Ran:
        """Run ``ngtpatch`` by an interpreter of its own, which imports everything anew."""
        with subprocess.Popen(
            self.words(*arguments), cwd=self.directory, env=self.environment(**environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            self.started(process.pid)
            stdout, stderr = process.communicate(timeout=120)
        return self.shown(Ran(process.returncode, stdout, stderr))

    @staticmethod
    def shown(ran: Ran) -> Ran:
        for canary in CANARIES:
            assert canary not in printed(ran.stdout) + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran

    def started(self, pid: int) -> None:
        self.state.client = pid

    def push(self, *arguments: object, **environment: str) -> Ran:
        return self.run("push", *arguments, **environment)


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    """moto's S3 server; its port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@dataclass
class Library:
    """The bucket behind Objects Lite."""

    client: Any

    def objects(self) -> list[str]:
        listing = self.client.list_objects_v2(Bucket="vmm-images")
        return [item["Key"] for item in listing.get("Contents", ())]


@pytest.fixture
def bucket(moto: int, central: Central) -> Iterator[Library]:
    """An empty bucket vmm-images, which the stand-in has its objects in."""
    import boto3

    session = boto3.Session("x", "x", region_name="us-east-1")
    client = session.client("s3", endpoint_url=f"http://127.0.0.1:{moto}")
    client.create_bucket(Bucket="vmm-images")
    library = Library(client)
    for key in library.objects():
        client.delete_object(Bucket="vmm-images", Key=key)
    central.state.moto = moto
    yield library
    client.close()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """An authority, and a certificate for localhost with its key."""
    directory = tmp_path_factory.mktemp("tls")
    now = datetime.now(timezone.utc)

    def issue(name: str, subject_key: Any, issuer: str, key: Any, *, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(subject_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(key, hashes.SHA256())

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    files = []
    for name, certificate in {
        "ca.pem": issue("stand-in CA", ca_key, "stand-in CA", ca_key, ca=True),
        "server.pem": issue("localhost", key, "stand-in CA", ca_key, ca=False),
    }.items():
        path = directory / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.append(path)
    path = directory / "server.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files[0], files[1], path


@pytest.fixture
def central(tls: tuple[Path, Path, Path], tmp_path: Path) -> Iterator[Central]:
    authority, certificate, key = tls
    server = StandIn(certificate, key)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Central(server, authority, tmp_path, program.zygote(WARM))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
