# SPDX-License-Identifier: Apache-2.0
"""A Dask cluster's workers as an executor.

Tasks carry settings and orders: paths, names, digests. Each worker reads the key it needs
from the shared file system itself, so that neither scheduler nor network sees one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from ngtpatch.errors import RemoteError, UsageError

__all__ = ["cluster"]

_CONNECT_SECONDS = 15
_CLOSE_SECONDS = 5
# A task whose worker dies is run again elsewhere. This many deaths on one VM fail it.
_RETRIES = 3


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int, Callable[[], bool]]]:
    """Yield an executor on the cluster at *address*, and how many tasks it runs at once.

    The third value says whether it has workers now: Dask waits for ever for some to come.

    Args:
        address: of a running scheduler, such as ``tcp://host:8786``.

    Raises:
        UsageError: ``extra``: Dask is not installed here; ``scheduler``: that is no address.
        RemoteError: ``scheduler``: nobody answers there, or it has no workers.
    """
    try:
        client_type: Any = import_module("distributed").Client
    except ImportError:
        raise UsageError(
            "extra", "--scheduler needs Dask", hint="install dask and distributed beside ngtpatch"
        ) from None
    if not re.fullmatch(r"(\w+://)?[^/\s]+:[0-9]{1,5}", address, re.ASCII):
        raise UsageError(
            "scheduler", f"--scheduler {address}: expected an address with its port",
            hint="give the one that `dask scheduler` prints, such as tcp://host:8786",
        )  # fmt: skip
    # Tracebacks of what is told in one message. Each of these loggers has a level of its own.
    for name in {"distributed", "tornado", *logging.root.manager.loggerDict}:
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client = client_type(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise RemoteError(
            "scheduler", f"no Dask scheduler answers: {type(error).__name__}", path=address,
            hint="give the address that `dask scheduler` prints, such as tcp://host:8786",
        ) from None  # fmt: skip

    def manned() -> bool:
        try:
            return bool(client.nthreads())
        except Exception:  # a scheduler that is gone says so by its tasks
            return True

    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise RemoteError(
                "scheduler", "the scheduler has no workers", path=address,
                hint=f"start some: dask worker {address}",
            )  # fmt: skip
        # pure=False: equal arguments are still to be run, the outputs may be gone.
        yield client.get_executor(pure=False, retries=_RETRIES), threads, manned
    finally:
        with suppress(Exception):  # a scheduler that is gone
            client.close(timeout=_CLOSE_SECONDS)
