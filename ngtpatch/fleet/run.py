# SPDX-License-Identifier: Apache-2.0
"""Drives a plan through any executor, and writes down what became of each VM."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ngtpatch.errors import OutputError, RemoteError, UsageError
from ngtpatch.files.locked import StillHeldError
from ngtpatch.fleet import workshop
from ngtpatch.fleet.claims import StillShared, claims_against, refusing, still_shared
from ngtpatch.fleet.destination import Destination, open_destination
from ngtpatch.fleet.ledger import Ledger
from ngtpatch.fleet.order import Order, VmResult
from ngtpatch.fleet.plan import FleetPlan

__all__ = ["InjectSummary", "foreseen", "run_fleet"]

# Handed out per worker in advance: enough to keep it busy, few enough to stop soon.
_AHEAD = 2
# So many VMs a task at most: some seconds of work.
_PIECE = 50
_SHOWN_FAILURES = 1000
# Where nothing comes back for so long it is asked whether anybody is at work, so often at most.
_SILENCE, _SILENCES = 10.0, 2


@dataclass(frozen=True)
class InjectSummary:
    """What a run did.

    Attributes:
        total: VMs that the run was to make.
        written: made now.
        kept: were there and right.
        failed: could not be made.
        unwritable: of those, the ones that the file system refused.
        interrupted: the run was told to stop; what is missing was not begun.
        bytes_written: by all outputs together.
        ledger: its file.
        failures: what failed and why; the first 1,000.
        warnings: (VM, warning), likewise.
        base_replaced: the base's path leads to another file by now than the one that was used.
        left: the images that are there under the names of VMs that failed: an earlier run's; None
            where the store does not say.
        shared: images of this run that have an identity of one from before that it did not make
            anew: that VM failed, was not begun, or gets its image under another name now.
    """

    total: int
    written: int
    kept: int
    failed: int
    unwritable: int
    interrupted: bool
    bytes_written: int
    ledger: Path
    failures: tuple[VmResult, ...]
    warnings: tuple[tuple[str, str], ...]
    base_replaced: bool = False
    left: tuple[str, ...] | None = ()
    shared: tuple[StillShared, ...] = ()


def run_fleet(
    plan: FleetPlan,
    *,
    executor: Executor | None = None,
    jobs: int = 8,
    resume: bool = False,
    wait_seconds: float = 0,
    stop: threading.Event | None = None,
    begun: threading.Event | None = None,
    report: Callable[[VmResult, int, int], None] | None = None,
    manned: Callable[[], bool] | None = None,
) -> InjectSummary:
    """Make every VM's image.

    Args:
        plan: what to make.
        executor: any executor; *jobs* threads of this process when absent.
        jobs: how many are in flight at once.
        resume: keep what is there and right; replace what is stale.
        wait_seconds: how long to wait for another run on the same destination.
        stop: when set, nothing more is begun and what is in flight is finished; another run is not
            waited for any more.
        begun: is set when VMs are; what ends the program before that cuts none short.
        report: told of each outcome, with the number done and the total.
        manned: says whether the executor has workers; tasks of one that has none wait for ever.

    Raises:
        UsageError: ``busy``; ``output-exists``: without *resume* or ``settings.replace``.
        OutputError: ``output-moved``: the destination is another directory by now;
            ``ledger-changed``, or what the file system said of the ledger.
        RemoteError: ``executor``: the executor broke, or has no workers any more; ``s3``: the store
            cannot be reached. What was done is in the ledger.
    """
    stop = stop or threading.Event()
    destination = open_destination(plan.settings)
    with ExitStack() as stack:
        try:
            stack.enter_context(destination.held(plan.shard, wait=wait_seconds, stop=stop))
        except StillHeldError:
            ledger_path = destination.ledger(plan.shard)
            return InjectSummary(len(plan.orders), 0, 0, 0, 0, True, 0, ledger_path, (), ())
        plan = replace(plan, settings=replace(plan.settings, held=destination.mark()))
        if resume or plan.settings.replace:
            destination.reach()
        else:
            _refuse_existing(destination, plan)
        ledger_path = destination.ledger(plan.shard)
        destination.sweep((*_outputs(plan), ledger_path.name))
        ledger = stack.enter_context(Ledger(ledger_path))
        destination.require_held()  # images and ledger are in one
        claims = claims_against(plan, destination)
        plan = refusing(plan, claims)
        workshop.prepare(plan.settings)
        if resume:
            plan = replace(
                plan,
                settings=replace(plan.settings, replace=True, resume=True),
                orders=tuple(replace(o, known=ledger.known(o.output)) for o in plan.orders),
            )
        if executor is None:
            executor = stack.enter_context(ThreadPoolExecutor(jobs, thread_name_prefix="vm"))
        watched = {output for claim in claims for output in (claim.holder, claim.row.output)}
        tally = _Tally(len(plan.orders), ledger, report, watched)
        if begun is not None:
            begun.set()
        replaced = False
        try:
            for outcome in _outcomes(
                plan, destination, executor, jobs * _AHEAD, stop, _piece(plan, jobs), manned
            ):
                tally.add(outcome)
        finally:
            replaced = workshop.base_was_replaced()
            workshop.close()
            destination.require_held()
            # Of workers that died: their VMs were made by others, or failed.
            destination.sweep(_outputs(plan))
            ledger.settle(order.output for order in plan.orders)
        summary = tally.summary(interrupted=stop.is_set() and tally.done < len(plan.orders))
        return replace(
            summary, base_replaced=replaced, left=_left(destination, tally.failed),
            shared=tuple(still_shared(claims, tally.made)),
        )  # fmt: skip


def foreseen(plan: FleetPlan, *, resume: bool = False) -> FleetPlan:
    """Return *plan* as :func:`run_fleet` would begin it: nothing is made or written.

    Whether another run is at work there is not looked at: it may have ended by then.

    Raises:
        UsageError, RemoteError, InputError: as :func:`run_fleet`, but for ``busy``.
    """
    destination = open_destination(plan.settings)
    destination.foresee()
    if resume or plan.settings.replace:
        destination.reach()
    else:
        _refuse_existing(destination, plan)
    Ledger(destination.ledger(plan.shard)).close()  # each of its rows is one
    return refusing(plan, claims_against(plan, destination))


def _outputs(plan: FleetPlan) -> Iterator[str]:
    """Yield the names of all outputs; kept in a set, fifty thousand take four megabytes."""
    return (order.output for order in plan.orders)


def _refuse_existing(destination: Destination, plan: FleetPlan) -> None:
    there = sorted(destination.existing(_outputs(plan)))
    if there:
        raise UsageError(
            "output-exists",
            f"holds {len(there)} of the {len(plan.orders)} outputs already, such as {there[0]}",
            path=plan.settings.destination,
            hint="use --resume to keep what is right, or --force to replace them all",
        )


def _outcomes(
    plan: FleetPlan,
    destination: Destination,
    executor: Executor,
    window: int,
    stop: threading.Event,
    piece: int,
    manned: Callable[[], bool] | None,
) -> Iterator[VmResult]:
    """Yield outcomes as they come, with at most *window* pieces of the orders handed out."""
    pieces = (plan.orders[start : start + piece] for start in range(0, len(plan.orders), piece))
    again: deque[tuple[Order, ...]] = deque()
    flying: dict[Future[list[VmResult]], tuple[Order, ...]] = {}
    broken: BaseException | None = None
    while True:
        while (
            len(flying) < window
            and not stop.is_set()
            and broken is None
            and (orders := next(pieces, None) or (again.popleft() if again else None))
        ):
            try:
                flying[executor.submit(workshop.make_all, plan.settings, orders)] = orders
            except Exception as error:  # BrokenExecutor, shut down by its owner, scheduler gone
                broken = error
        if not flying:
            break
        done = _next(flying, manned)
        for future in done:
            orders = flying.pop(future)
            trouble = _trouble(future)
            if trouble is None:
                outcomes = future.result()
                if broken is None:
                    broken = _gone(destination, outcomes)
                # Each image is in the directory that is held. That one cannot be made there any
                # more is no failure of its VM.
                moved = isinstance(broken, OutputError)
                yield from (one for one in outcomes if not moved or one.state != "failed")
            elif isinstance(trouble, CancelledError):  # who knew of it is gone
                broken = trouble
            elif len(orders) > 1:  # one of them may be what kills workers: each by itself
                again.extend((order,) for order in orders)
            else:
                # make() raises nothing: the worker itself was lost.
                message = f"its worker was lost ({type(trouble).__name__})"
                yield VmResult.failure(orders[0], RemoteError("worker-lost", message))
    if isinstance(broken, (OutputError, RemoteError)):
        raise broken
    if broken is not None:
        raise RemoteError(
            "executor", f"the executor takes no more work: {type(broken).__name__}",
            hint="run the command again with --resume",
        ) from broken  # fmt: skip


def _next(
    flying: Iterable[Future[list[VmResult]]], manned: Callable[[], bool] | None
) -> Iterable[Future[list[VmResult]]]:
    """Wait for the next that is done. Raises RemoteError where nobody is left to do any."""
    alone = 0
    while True:
        done, _ = wait(flying, None if manned is None else _SILENCE, return_when=FIRST_COMPLETED)
        if done or manned is None:
            return done
        alone = 0 if manned() else alone + 1
        if alone == _SILENCES:
            raise RemoteError(
                "executor", "the executor has no workers any more",
                hint="start some, and run the command again with --resume",
            )  # fmt: skip


def _gone(
    destination: Destination, outcomes: Iterable[VmResult]
) -> OutputError | RemoteError | None:
    """Return what keeps the destination from being reached at all; None when it is there.

    Ten thousand VMs would each wait for a store that hangs.
    """
    try:
        destination.require_held()
        if any(one.code == "s3" for one in outcomes):
            destination.reach()
    except (OutputError, RemoteError) as error:
        return error
    return None


def _left(destination: Destination, failed: set[str]) -> tuple[str, ...] | None:
    try:
        return tuple(sorted(destination.existing(failed))) if failed else ()
    except RemoteError:  # the run is over, and what it did is told all the same
        return None


def _trouble(future: Future[list[VmResult]]) -> BaseException | None:
    """Return why there is no result; None when there is one."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _piece(plan: FleetPlan, jobs: int) -> int:
    """Return how many VMs one task makes: on other machines each result is a journey."""
    if not plan.settings.remote:
        return 1
    return max(1, min(_PIECE, len(plan.orders) // (jobs * _AHEAD * 2)))


class _Tally:
    """Counts outcomes and owns what is told of them."""

    def __init__(
        self, total: int, ledger: Ledger, report: Callable[[VmResult, int, int], None] | None,
        watched: Collection[str],
    ) -> None:  # fmt: skip
        self.total, self.done = total, 0
        self._ledger, self._report = ledger, report
        self._counts = {"written": 0, "kept": 0, "failed": 0}
        self._bytes = self._unwritable = 0
        self.failed: set[str] = set()
        # Of *watched*, which there are few of.
        self._watched, self.made = watched, set[str]()
        self._failures: list[VmResult] = []
        self._warnings: list[tuple[str, str]] = []

    def add(self, outcome: VmResult) -> None:
        self._ledger.add(outcome)
        self.done += 1
        self._counts[outcome.state] += 1
        self._bytes += outcome.bytes_written
        self._unwritable += outcome.code in OutputError.CODES
        if outcome.state != "failed" and outcome.output in self._watched:
            self.made.add(outcome.output)
        if outcome.state == "failed":
            self.failed.add(outcome.output)
            if len(self._failures) < _SHOWN_FAILURES:
                self._failures.append(outcome)
        if len(self._warnings) < _SHOWN_FAILURES:
            self._warnings += [(outcome.name, warning) for warning in outcome.warnings]
        if self._report is not None:
            self._report(outcome, self.done, self.total)

    def summary(self, *, interrupted: bool) -> InjectSummary:
        return InjectSummary(
            self.total, self._counts["written"], self._counts["kept"], self._counts["failed"],
            self._unwritable, interrupted, self._bytes, self._ledger.path, tuple(self._failures),
            tuple(self._warnings),
        )  # fmt: skip
