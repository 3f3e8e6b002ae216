# SPDX-License-Identifier: Apache-2.0
"""A task of Prism Central, followed until it has ended."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from ngtpatch.disclosure import printable
from ngtpatch.errors import RemoteError
from ngtpatch.prism_central.connection import Connection, GoneError

__all__ = ["TaskFailedError", "TaskLostError", "TaskVanishedError", "follow"]

_FIRST, _LONGEST = 0.1, 3.0
# Of others (QUEUED, RUNNING, CANCELING, SUSPENDED, and words that this SDK does not know) is not
# known how they end.
_FAILED = ("FAILED", "CANCELED")


class TaskFailedError(RemoteError):
    """It ended, and did not succeed."""


class TaskLostError(RemoteError):
    """What became of it is not known: it did not end in time."""


class TaskVanishedError(RemoteError):
    """Prism Central does not know it any more."""


def follow(
    connection: Connection, reference: Any, *, what: str, seconds: float, kind: str | None = None
) -> str | None:
    """Wait for the task that an answer refers to; return the entity of a kind that it is about.

    That it succeeded is the task's own word: who asked for it looks at what changed.

    Args:
        connection: whose task it is.
        reference: the ``data`` of the answer: a TaskReference.
        what: what it does, for messages ("creating the image").
        seconds: how long to wait.
        kind: of the entity, such as ``vmm:content:image``: a task names others as well.

    Raises:
        TaskFailedError: ``task-failed``, with what Prism Central says.
        TaskLostError: ``task-lost``.
        TaskVanishedError: ``task-vanished``.
        RemoteError: Prism Central cannot be asked.
    """
    api = import_module("ntnx_prism_py_client.api.tasks_api").TasksApi(connection.prism)
    deadline, pause = time.monotonic() + seconds, _FIRST
    while True:
        try:
            task = connection.call(api.get_task_by_id, reference.ext_id).data
        except GoneError:
            raise TaskVanishedError(
                "task-vanished", f"{what}: its task vanished", path=connection.host,
                hint="run the command again: it looks at what is there first",
            ) from None  # fmt: skip
        status = str(task.status)
        if status == "SUCCEEDED":
            entities = task.entities_affected or ()
            return next((str(e.ext_id) for e in entities if kind and e.rel == kind), None)
        if status in _FAILED:
            said = [str(message.message) for message in task.error_messages or ()]
            said += [task.legacy_error_message] if task.legacy_error_message else []
            reason = printable("; ".join(said))[:300] or "no reason given"
            raise TaskFailedError(
                "task-failed", f"{what}: {status.lower()}: {reason}", path=connection.host
            )
        if time.monotonic() > deadline:
            raise TaskLostError(
                "task-lost", f"{what}: not ended after {seconds:g} s", path=connection.host,
                hint="run the command again later: it looks at what is there first",
            )  # fmt: skip
        connection.sleep(pause)
        pause = min(_LONGEST, pause * 1.6)
