# SPDX-License-Identifier: Apache-2.0
"""States and certificates as Prometheus text, for the node exporter's textfile collector.

What is not known has no series: an alert on ``== 0`` does not fire for a VM of which nobody
says anything, and ``absent()`` finds it. The text is written by prometheus_client (extra
``metrics``), whole or not at all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngtpatch.disclosure import printable
from ngtpatch.errors import UsageError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.bounded import read_small

if TYPE_CHECKING:
    from ngtpatch.fleet.audit import Audit
    from ngtpatch.status.joined import Status

__all__ = ["audit_metrics", "require_metrics", "status_metrics"]

_MOST_BYTES = 256 << 20

_HELP = {
    "certificate_days_left": "Whole days until the VM's certificate ends, negative afterwards",
    "enabled": "NGT is enabled for the VM",
    "link_active": "The agent in the guest answers",
    "mounted": "NGT's disc is in the VM's CD-ROM",
    "ok": "Nothing needs to be done for the VM",
}


def require_metrics(path: Path, *, force: bool) -> None:
    """Refuse a file that metrics are not to be written to, before any work.

    What an earlier run wrote is replaced: it is written anew every few minutes.

    Raises:
        UsageError: ``not-prom``: the collector reads only what ends in .prom; ``extra``:
            prometheus_client is not installed; ``output-exists``: it holds other metrics than
            ngtpatch's, and no *force*; and as :func:`ngtpatch.files.atomic.check_target`.
        OutputError: ``read-only``, ``not-writable``.
    """
    if path.suffix != ".prom":
        raise UsageError(
            "not-prom", "does not end in .prom, and the textfile collector would not read it",
            path=str(path), hint=f"name it {path.name}.prom",
        )  # fmt: skip
    try:
        import_module("prometheus_client")
    except ImportError:
        raise UsageError(
            "extra", "--metrics needs prometheus_client", path=str(path),
            hint="install ngtpatch[metrics]",
        ) from None  # fmt: skip
    check_target(path, force=True)
    if path.exists() and not force and not _is_own(path):
        raise UsageError(
            "output-exists", "exists already, and holds more than ngtpatch's metrics",
            path=str(path), hint="use --force to replace it, or name another file",
        )  # fmt: skip


def _is_own(path: Path) -> bool:
    # An empty file has nothing to lose.
    lines = read_small(path, limit=_MOST_BYTES, what="file of metrics").splitlines()
    return all(re.match(rb"(# (HELP|TYPE) )?ngtpatch_|\s*$", line) for line in lines)


def status_metrics(path: Path, status: Status) -> None:
    """Write the metrics of *status* to *path*, which :func:`require_metrics` has looked at."""
    rows = [
        (
            {"vm": vm.name or "", "vm_uuid": vm.vm_uuid or ""},
            {
                "certificate_days_left": vm.days_left, "enabled": vm.enabled,
                "link_active": vm.link_active, "mounted": vm.mounted, "ok": vm.ok,
            },
        )
        for vm in status.vms
    ]  # fmt: skip
    counts = {"complete": status.complete, "missing": status.missing, "vms": len(status.vms)}
    if status.complete is None:
        del counts["missing"]
    _write(path, "status", "vm", rows, counts)


def audit_metrics(path: Path, audit: Audit) -> None:
    """Write the metrics of ``ngtpatch identity check`` to *path*; see :func:`status_metrics`.

    Their names are others than a status has: the collector drops the whole scrape where two files
    of its directory have the same series.
    """
    bad = {finding.source for finding in audit.findings if finding.severity.value != "note"}
    rows = [
        (
            {"vm": one.source, "vm_uuid": one.vm_uuid or ""},
            {"certificate_days_left": one.days_left, "ok": one.source not in bad},
        )
        for one in audit.identities
    ]
    counts = {"vms": len(audit.identities), "complete": audit.complete}
    _write(path, "identity_check", "identity", rows, counts)


def _write(
    path: Path,
    command: str,
    subject: str,
    rows: Iterable[tuple[Mapping[str, str], Mapping[str, float | bool | None]]],
    counts: Mapping[str, float | bool | None],
) -> None:
    client: Any = import_module("prometheus_client")
    registry = client.CollectorRegistry()
    gauges: dict[str, Any] = {}
    for labels, values in rows:
        for name, value in values.items():
            if value is None:
                continue
            if name not in gauges:
                gauges[name] = client.Gauge(
                    f"ngtpatch_{subject}_{name}", _HELP[name], list(labels), registry=registry
                )
            gauges[name].labels(**{k: printable(v) for k, v in labels.items()}).set(value)
    for name, value in counts.items():
        if value is not None:
            said = f"Of the list that ngtpatch {command.replace('_', ' ')} read: {name}"
            client.Gauge(f"ngtpatch_{command}_{name}", said, registry=registry).set(value)
    said = f"When ngtpatch {command.replace('_', ' ')} wrote this"
    last = client.Gauge(f"ngtpatch_{command}_timestamp_seconds", said, registry=registry)
    last.set(int(time.time()))
    with new_file(path, force=True) as file:
        file.write(client.generate_latest(registry))
