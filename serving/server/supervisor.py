"""Several workers on one socket: started, replaced when they die, stopped together.

The supervisor loads the application once and forks, so that a worker that replaces another runs the
same code, and a start costs no imports. It takes no request, opens no socket of its own, and runs
nothing but its loop: there is nothing that somebody else on this machine could ask of it.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from serving.faults import place_of
from serving.server.worker import FAILED

STOP_SECONDS = 45.0
"""How long workers may take to stop: more than `Shutdown`'s and the server's times together."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 15.0
"""How long to wait before a worker that died is replaced; doubled each time, up to the longest."""

LONG_LIFE_SECONDS = 60.0
"""A worker that lived this long had started well: the wait begins anew."""

POLL_SECONDS = 0.1

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

Work = Callable[[Callable[[], None], int], int]
"""What a worker runs: takes what it calls once ready and its lifeline, returns its exit code."""

log = logging.getLogger("rehabcast.server")


@dataclass(slots=True)
class _Worker:
    """A worker's process: its id, when it was started, and where it says that it is ready."""

    pid: int
    started_at: float
    ready_pipe: int


@dataclass(slots=True)
class Supervisor:
    """Runs a number of workers until SIGTERM.

    Parameters
    ----------
    work
        Run by each worker, in a process of its own.
    count
        How many workers.
    """

    work: Work
    count: int
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _lifeline: tuple[int, int] = field(default_factory=os.pipe)
    _woken: tuple[int, int] = field(default_factory=os.pipe)
    _wait_seconds: float = FIRST_WAIT_SECONDS
    _replace_at: list[float] = field(default_factory=list)
    _stopping: bool = False

    def run(self) -> int:
        """Run the workers; return the exit code.

        A worker that cannot start the first time ends them all, with its exit code: what it lacks,
        the next one lacks too. One that dies later is replaced.
        """
        # Handlers and not a blocked mask: libraries have threads that would still take the signal.
        os.set_blocking(self._woken[0], False)
        os.set_blocking(self._woken[1], False)
        signal.set_wakeup_fd(self._woken[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._begin_to_stop)
        signal.signal(signal.SIGCHLD, _wake_only)
        code = self._start_all()
        while code is None:
            code = self._step()
        return self._stop(code)

    def _begin_to_stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True

    def _wait(self, seconds: float, *more: int) -> None:
        """Wait until a signal comes, one of other pipes can be read, or the time is over."""
        readable, _, _ = select.select([self._woken[0], *more], [], [], max(0.0, seconds))
        if self._woken[0] in readable:
            os.read(self._woken[0], 4096)

    def _start_all(self) -> int | None:
        """Start one worker, then the others; return an exit code where there is nothing to run."""
        # One alone: it makes what all of them share, and a refusal is printed once.
        for count in (1, self.count - 1):
            for worker in [self._fork() for _ in range(count)]:
                code = self._until_ready(worker)
                if code is not None:
                    return code
        return None

    def _until_ready(self, worker: _Worker) -> int | None:
        """Wait for a worker; return an exit code if it ended, or if all are to stop."""
        while not select.select([worker.ready_pipe], [], [], 0)[0]:
            self._wait(POLL_SECONDS, worker.ready_pipe)
            if self._stopping:
                return 0
        if os.read(worker.ready_pipe, 1):
            return None
        # Its end of the pipe closed without a word: it has ended.
        del self._workers[worker.pid]
        _, status = os.waitpid(worker.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code > 0 else FAILED

    def _step(self) -> int | None:
        """Wait for the next thing to do, and do it; return an exit code when all are to stop."""
        # Before waiting: one may have died while the others were started.
        self._reap()
        now = time.monotonic()
        self._wait(min(self._replace_at, default=now + LONGEST_WAIT_SECONDS) - now)
        if self._stopping:
            return 0
        now = time.monotonic()
        for _ in [at for at in self._replace_at if at <= now]:
            self._fork()
        self._replace_at = [at for at in self._replace_at if at > now]
        return None

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if (worker := self._workers.pop(pid, None)) is None:
                continue
            os.close(worker.ready_pipe)
            now = time.monotonic()
            if now - worker.started_at >= LONG_LIFE_SECONDS:
                self._wait_seconds = FIRST_WAIT_SECONDS
            self._replace_at.append(now + self._wait_seconds)
            log.error(
                "a worker ended (%s); another one is started in %.1f s",
                os.waitstatus_to_exitcode(status), self._wait_seconds,
            )  # fmt: skip
            self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def _stop(self, code: int) -> int:
        """Pass SIGTERM on, wait, and kill who has not ended by then."""
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._workers and time.monotonic() < deadline:
            self._wait(POLL_SECONDS)
            while self._workers and (pid := os.waitpid(-1, os.WNOHANG)[0]):
                self._workers.pop(pid, None)
        for pid in self._workers:
            log.error("a worker did not stop within %.0f s and is killed", STOP_SECONDS)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return code

    def _fork(self) -> _Worker:
        ready_pipe, say_ready = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be_worker(ready_pipe, say_ready)
        os.close(say_ready)
        worker = _Worker(pid, time.monotonic(), ready_pipe)
        self._workers[pid] = worker
        return worker

    def _be_worker(self, ready_pipe: int, say_ready: int) -> None:
        """Work and end, whatever happens: nothing of the supervisor may run in a worker."""
        code = FAILED
        try:
            for descriptor in (self._lifeline[1], *self._woken, ready_pipe):
                os.close(descriptor)
            for worker in self._workers.values():
                os.close(worker.ready_pipe)
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            if self._stopping:
                os._exit(0)
            code = self.work(lambda: _say(say_ready), self._lifeline[0])
        except BaseException as error:
            log.error("a worker ended: %s", place_of(error))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _wake_only(_: int, __: FrameType | None) -> None:
    """Let a signal write to the wakeup pipe, which an ignored one would not."""


def _say(pipe: int) -> None:
    os.write(pipe, b"1")
    os.close(pipe)
