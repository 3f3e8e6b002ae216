# SPDX-License-Identifier: Apache-2.0
"""A STAND-IN for Prism Central. No real one could be had when this was written.

Generated from the models of the official SDK, ntnx-vmm-py-client 4.3.2 and ntnx-prism-py-client
4.4.2: every answer is a model of theirs, serialised by their own client, and every body that
comes in is checked against ``swagger_types`` and ``attribute_map``: an unknown field, a wrong
type of object or a missing required word is refused. HTTP/1.1 and TLS are real, on loopback.

What is ours and not Nutanix': when things change (states, tasks, ETags) follows the description
of the API (a change needs ``If-Match`` with the ETag of what was read, else 412; it answers 202
with a task; the task ends SUCCEEDED or FAILED; ``NTNX-Request-Id`` makes a repeated POST the same
one). Objects Lite is moto's S3 server behind the path that Prism Central has it at.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

VMM, PRISM = "ntnx_vmm_py_client", "ntnx_prism_py_client"
USER, PASSWORD, API_KEY = "push", "canary-Passw0rd-7f3a", "canary-api-key-51c2"
TOKEN = "canary-cookie-93be"


def model(name: str) -> Any:
    """Return the SDK's class of that full name, such as vmm.v4.ahv.config.Vm."""
    for package in (PRISM, VMM) if name.startswith("prism.v4.config.Task") else (VMM, PRISM):
        try:
            module = import_module(f"{package}.models.{name}")
        except ModuleNotFoundError:
            continue
        return getattr(module, name.rpartition(".")[2])
    raise LookupError(name)


def wire(value: Any) -> Any:
    """Serialise as the SDK's client does."""
    client = import_module(VMM).ApiClient
    return client._ApiClient__sanitize_for_serialization(_PLAIN, value)


class _Plain:
    PRIMITIVE_TYPES = (float, bool, bytes, str, int)

    def __getattr__(self, name: str) -> Any:
        if name == "_ApiClient__sanitize_for_serialization":
            return wire
        raise AttributeError(name)


_PLAIN = _Plain()


class BadRequestError(Exception):
    """The body is not what the SDK's model of the operation takes."""


def parsed(body: Any, kind: str) -> Any:
    """Return *body* as the SDK's model *kind*; refuse what it does not know."""
    if kind.startswith("list["):
        return [parsed(item, kind[5:-1]) for item in body]
    if kind.startswith("dict("):
        return body
    if kind in ("str", "int", "bool", "float", "object", "datetime"):
        wanted = {"str": str, "int": int, "bool": bool}.get(kind, object)
        if not isinstance(body, wanted):
            raise BadRequestError(f"{body!r} is not of type {kind}")
        return body
    if kind.startswith("OneOf"):
        kind = body.get("$objectType", "")
        if not kind:
            raise BadRequestError("an object of several kinds has no $objectType")
    cls = model(kind)
    if isinstance(body, str):  # an enumeration
        if body not in {v for k, v in vars(cls).items() if k.isupper() and isinstance(v, str)}:
            raise BadRequestError(f"{body!r} is not a word of {kind}")
        return body
    if not isinstance(body, dict):
        raise BadRequestError(f"{body!r} is not an object")
    said = body.get("$objectType", kind)
    if said != kind:
        raise BadRequestError(f"{said} where {kind} is wanted")
    names = {wire_name: name for name, wire_name in cls.attribute_map.items()}
    unknown = set(body) - set(names)
    if unknown:
        raise BadRequestError(f"unknown fields in {kind}: {sorted(unknown)}")
    values = {
        names[key]: parsed(value, cls.swagger_types[names[key]])
        for key, value in body.items()
        if not key.startswith("$")
    }
    try:
        return cls(**values)
    except ValueError as error:  # a pattern or a length of the model
        raise BadRequestError(str(error)) from None


@dataclass
class Fault:
    """What happens to the next requests whose method and path match."""

    method: str
    path: str
    act: Callable[[Handler], bool]
    times: int = 1


@dataclass
class Work:
    """A task: what it does when its time has come, and how it ends."""

    task: Any
    finish: Callable[[], str | None]
    polls: int


@dataclass
class State:
    """The cluster."""

    vms: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, Work] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    moto: int = 0
    polls: int = 1
    fail_next: list[str] = field(default_factory=list)
    urls: dict[str, bytes] = field(default_factory=dict)
    version: str = "v4.3"
    tells_sources: bool = True
    client: int = 0
    kill_at: tuple[int, str] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add_vm(
        self, name: str, *, tools: dict[str, Any] | None = None, drives: int = 1,
        uuid_: str | None = None,
    ) -> str:  # fmt: skip
        key = uuid_ or str(uuid.uuid4())
        roms = [
            model("vmm.v4.ahv.config.CdRom")(
                ext_id=str(uuid.uuid4()),
                disk_address=model("vmm.v4.ahv.config.CdRomAddress")(bus_type="SATA", index=n),
            )
            for n in range(drives)
        ]
        found = None if tools is None else model("vmm.v4.ahv.config.GuestTools")(**tools)
        cluster = model("vmm.v4.ahv.config.ClusterReference")(ext_id=CLUSTER)
        self.vms[key] = model("vmm.v4.ahv.config.Vm")(
            ext_id=key, name=name, guest_tools=found, cluster=cluster, cd_roms=roms,
            power_state="ON",
        )  # fmt: skip
        return key

    def put_disc(self, vm: str, drive: int, *, kind: str = "GUEST_TOOLS") -> None:
        rom = self.vms[vm].cd_roms[drive]
        rom.backing_info = model("vmm.v4.ahv.config.VmDisk")(disk_ext_id=str(uuid.uuid4()))
        rom.iso_type = kind
        self.touch(vm)

    def touch(self, key: str) -> None:
        self.revisions[key] = self.revisions.get(key, 0) + 1

    def etag(self, key: str) -> str:
        return (
            f'"{hashlib.sha256(f"{key}/{self.revisions.get(key, 0)}".encode()).hexdigest()[:16]}"'
        )

    def discs(self, vm: str) -> list[str]:
        """Return what is in the drives: the name of an image, or the kind of disc."""
        found = []
        for rom in self.vms[vm].cd_roms:
            if rom.backing_info is not None:
                found.append(rom.__dict__.get("shown") or rom.iso_type)
        return found

    def writes(self) -> list[tuple[str, str]]:
        return [entry for entry in self.log if entry[0] not in READS]


# moto looks who asks, and at no signature.
_SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=x"
}
CLUSTER = "00000000-aaaa-4bbb-8ccc-000000000001"
# The words of nutanix.ncp 2.5.0 (plugins/module_utils/v4/constants.py).
IMAGE = "vmm:content:image"
READS = ("GET", "OPTIONS", "HEAD", "S3 GET", "S3 HEAD")
_BASE = r"/api/vmm/v4\.\d+"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def log_message(self, *_: Any) -> None:
        pass

    @property
    def state(self) -> State:
        return self.server.state

    def logged(self, method: str, path: str) -> None:
        """Note the request, and which change it is: others may come while this one is answered."""
        self.state.log.append((method, path))
        self.change = 0 if method in READS else len(self.state.writes())

    def killed(self, when: str) -> bool:
        """Kill the client at the change and the moment that the test has named."""
        if not self.change or self.state.kill_at != (self.change, when):
            return False
        os.kill(self.state.client, signal.SIGKILL)
        self.close_connection = True
        return True

    def serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        length = int(self.headers.get("Content-Length") or 0)
        if path.startswith("/api/prism/v4.0/objects"):
            self.objects(length)
            return
        self.body = self.rfile.read(length)
        with self.state.lock:
            self.logged(self.command, path)
            if self.killed("before"):
                return
            for fault in self.state.faults:
                if fault.times and fault.method == self.command and re.search(fault.path, path):
                    fault.times -= 1
                    if fault.act(self):
                        return
        if not self.authorised():
            self.error(401, "not authenticated")
            return
        try:
            with self.state.lock:
                self.route(path)
        except BadRequestError as error:
            self.error(400, str(error))

    def authorised(self) -> bool:
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return (
            self.headers.get("Authorization") == basic
            or self.headers.get("X-ntnx-api-key") == API_KEY
            or f"NTNX={TOKEN}" in (self.headers.get("Cookie") or "")
        )

    # answers ------------------------------------------------------------------------------

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        if self.killed("after"):
            return
        data = b"" if body is None else json.dumps(body, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Set-Cookie", f"NTNX={TOKEN}; Path=/; Secure")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        said = model("vmm.v4.error.AppMessage")(message=message, code="VMM-1", severity="ERROR")
        response = model("vmm.v4.error.ErrorResponse")(error=[said])
        self.answer(status, {"data": wire(response)}, headers)

    def one(self, kind: str, entity: Any, key: str) -> None:
        response = model(kind)()
        body = wire(response)
        body["data"] = wire(entity)
        self.answer(200, body, {"ETag": self.state.etag(key)})

    def many(self, kind: str, entities: list[Any], query: dict[str, list[str]]) -> None:
        page, limit = int(query.get("$page", ["0"])[0]), int(query.get("$limit", ["50"])[0])
        if not 1 <= limit <= 100:
            raise BadRequestError("$limit")
        wanted = query.get("$filter")
        if wanted:
            match = re.fullmatch(r"name eq '((?:[^']|'')*)'", wanted[0])
            if match is None:
                raise BadRequestError("$filter")
            name = match[1].replace("''", "'")
            entities = [entity for entity in entities if entity.name == name]
        metadata = model("common.v1.response.ApiResponseMetadata")(
            total_available_results=len(entities)
        )
        shown = entities[page * limit : (page + 1) * limit]
        body = wire(model(kind)(metadata=metadata))
        if shown:
            body["data"] = wire(shown)
        if "$select" in query:
            if query["$select"] != ["extId"]:
                raise BadRequestError("$select")
            body["data"] = [{"extId": one["extId"]} for one in body.get("data", ())]
        self.answer(200, body)

    def accepted(
        self,
        kind: str,
        finish: Callable[[], str | None],
        affects: str,
        rel: str = "vmm:ahv:config:vm",
    ) -> None:
        """Answer with a task; the same NTNX-Request-Id gets the same one."""
        request = self.headers.get("NTNX-Request-Id") or ""
        known = self.state.requests.get(request)
        if known is None:
            known = f"ZXJnb24=:{uuid.uuid4()}"
            entity = model("prism.v4.config.EntityReference")
            # Not only what was asked about: the cluster that does it comes first.
            affected = [
                entity(ext_id=CLUSTER, rel="clustermgmt:config:cluster"),
                entity(ext_id=affects, rel=rel),
            ]
            task = model("prism.v4.config.Task")(
                ext_id=known, status="QUEUED", entities_affected=affected
            )
            self.state.tasks[known] = Work(task, finish, self.state.polls)
            self.state.requests[request] = known
        body = wire(model(kind)())
        reference = import_module(f"{VMM}.models.prism.v4.config.TaskReference").TaskReference
        body["data"] = wire(reference(ext_id=known))
        self.answer(202, body)

    # routes -------------------------------------------------------------------------------

    def route(self, path: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        state = self.state
        if path.endswith("/unversioned/info"):
            self.answer(200, {"data": state.version})
        elif re.fullmatch(_BASE + "/ahv/config/vms", path):
            vms = list(state.vms.values())
            self.many("vmm.v4.ahv.config.ListVmsApiResponse", vms, query)
        elif match := re.fullmatch(_BASE + "/ahv/config/vms/([^/]+)(/.*)?", path):
            self.vm(match[1], match[2] or "", query)
        elif re.fullmatch(_BASE + "/content/images", path):
            if self.command == "POST":
                self.create_image()
            else:
                images = list(state.images.values())
                self.many("vmm.v4.content.ListImagesApiResponse", images, query)
        elif match := re.fullmatch(_BASE + "/content/images/([^/]+)", path):
            self.image(match[1])
        elif match := re.fullmatch(r"/api/prism/v4\.\d+/config/tasks/([^/]+)", path):
            self.task(match[1])
        else:
            self.error(404, f"no such path {path}")

    def task(self, key: str) -> None:
        work = self.state.tasks.get(key)
        if work is None:
            self.error(404, "no such task")
            return
        task = work.task
        if task.status in ("QUEUED", "RUNNING"):
            work.polls -= 1
            task.status = "RUNNING"
            if work.polls < 0:
                reason = self.state.fail_next.pop(0) if self.state.fail_next else work.finish()
                task.status = "SUCCEEDED" if reason is None else "FAILED"
                if reason is not None:
                    message = model("prism.v4.error.AppMessage")(message=reason)
                    task.error_messages = [message]
        self.one("prism.v4.config.GetTaskApiResponse", task, key)

    def vm(self, key: str, rest: str, query: dict[str, list[str]]) -> None:
        state = self.state
        vm = state.vms.get(key)
        if vm is None:
            self.error(404, "no such VM")
        elif not rest:
            self.one("vmm.v4.ahv.config.GetVmApiResponse", vm, key)
        elif rest == "/cd-roms":
            self.many("vmm.v4.ahv.config.ListCdRomsApiResponse", vm.cd_roms, query)
        elif match := re.fullmatch(r"/cd-roms/([^/]+)(/\$actions/(insert|eject))?", rest):
            rom = next((rom for rom in vm.cd_roms if rom.ext_id == match[1]), None)
            if rom is None:
                self.error(404, "no such CD-ROM")
            elif match[3] is None:
                self.one("vmm.v4.ahv.config.GetCdRomApiResponse", rom, key)
            elif self.headers.get("If-Match") != state.etag(key):
                self.error(412, "If-Match is missing, or not the ETag of what is there")
            elif match[3] == "insert":
                self.insert(key, rom)
            else:
                self.eject(key, rom)
        else:
            self.error(404, "no such path")

    def insert(self, key: str, rom: Any) -> None:
        state = self.state
        params = parsed(json.loads(self.body), "vmm.v4.ahv.config.CdRomInsertParams")
        image_id = params.backing_info.data_source.reference.image_ext_id
        if image_id not in state.images:
            self.error(404, "no such image")
            return

        def finish() -> str | None:
            if rom.backing_info is not None:
                return "the CD-ROM is not empty"
            if image_id not in state.images:
                return "the image is gone"
            backing = model("vmm.v4.ahv.config.VmDisk")(
                disk_ext_id=str(uuid.uuid4()), disk_size_bytes=state.images[image_id].size_bytes
            )
            if state.tells_sources:
                backing.data_source = params.backing_info.data_source
            rom.backing_info, rom.iso_type = backing, "OTHER"
            rom.__dict__["shown"] = state.images[image_id].name
            state.touch(key)
            return None

        self.accepted("vmm.v4.ahv.config.InsertCdRomApiResponse", finish, key)

    def eject(self, key: str, rom: Any) -> None:
        def finish() -> str | None:
            if rom.backing_info is None:
                return "the CD-ROM is empty"
            rom.backing_info = None
            rom._CdRom__iso_type = None
            rom.__dict__.pop("shown", None)
            self.state.touch(key)
            return None

        self.accepted("vmm.v4.ahv.config.EjectCdRomApiResponse", finish, key)

    def create_image(self) -> None:
        state = self.state
        image = parsed(json.loads(self.body), "vmm.v4.content.Image")
        if image.name is None or image.type is None or image.source is None:
            raise BadRequestError("name, type and source are required")
        image.ext_id = str(uuid.uuid4())

        def finish() -> str | None:
            try:
                if type(image.source).__name__ == "UrlSource":
                    data = state.urls[image.source.url]
                else:
                    status, data, _ = self.moto(
                        "GET", f"/vmm-images/{image.source.key}", headers=_SIGNED
                    )
                    if status != 200:
                        return "the source cannot be read"
            except KeyError:
                return "the source cannot be read"
            wanted = None if image.checksum is None else image.checksum.hex_digest
            if wanted not in (None, hashlib.sha256(data).hexdigest()):
                return "the checksum is not the source's"
            image.size_bytes = len(data)
            state.images[image.ext_id] = image
            return None

        self.accepted("vmm.v4.content.CreateImageApiResponse", finish, image.ext_id, IMAGE)

    def image(self, key: str) -> None:
        state = self.state
        image = state.images.get(key)
        if image is None:
            self.error(404, "no such image")
        elif self.command == "GET":
            self.one("vmm.v4.content.GetImageApiResponse", image, key)
        elif self.headers.get("If-Match") != state.etag(key):
            self.error(412, "If-Match is missing, or not the ETag of what is there")
        else:

            def finish() -> str | None:
                return None if state.images.pop(key, None) is not None else "no such image"

            self.accepted("vmm.v4.content.DeleteImageApiResponse", finish, key, IMAGE)

    def objects(self, length: int) -> None:
        """Pass a request on to moto, as Prism Central's Objects Lite would take it."""
        state = self.state
        path = self.path.removeprefix("/api/prism/v4.0/objects")
        # Read even if it is refused: what is left of it would be taken for the next request.
        data = self.rfile.read(length) if length else b""
        with state.lock:
            self.logged(f"S3 {self.command}", urlsplit(path).path)
            if self.killed("before"):
                return
            for fault in state.faults:
                if fault.times and fault.method == f"S3 {self.command}":
                    fault.times -= 1
                    if fault.act(self):
                        return
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if f"Credential={wanted}/" not in (self.headers.get("Authorization") or ""):
            self.answer(403, {})
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "expect")}
        status, body, given = self.moto(self.command, path, data or None, headers)
        if self.killed("after"):
            return
        self.send_response(status)
        for name, value in given.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def moto(
        self, method: str, path: str, body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:  # fmt: skip
        with closing(HTTPConnection("127.0.0.1", self.state.moto, timeout=30)) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            with connection.getresponse() as answer:
                return answer.status, answer.read(), dict(answer.headers)


for _verb in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
    setattr(Handler, f"do_{_verb}", Handler.serve)


def answers(status: int, message: str = "no", **headers: str) -> Callable[[Handler], bool]:
    """Return an act that answers with an error."""

    def act(handler: Handler) -> bool:
        handler.error(status, message, {k.replace("_", "-"): v for k, v in headers.items()})
        return True

    return act


def cut(handler: Handler) -> bool:
    """An act: the connection ends without an answer."""
    handler.close_connection = True
    handler.connection.close()
    return True


def slow(seconds: float) -> Callable[[Handler], bool]:
    """Return an act that lets the client wait before it is answered."""

    def act(_: Handler) -> bool:
        time.sleep(seconds)
        return False

    return act


class StandIn(ThreadingHTTPServer):
    """See the module: not a Prism Central."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = State()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.host = f"localhost:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is none of our business."""
