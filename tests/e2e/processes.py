# io: child processes of an end-to-end test: started, watched, stopped, killed; whatever happens to the test, none is left behind.
import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
SLOWNESS = 4  # limits are written for a machine with time to spare; one that also builds, or is shared, is given so many times that


class Failure(Exception):
    """A condition that did not come true; says what was waited for and what was seen."""


def wait_until(condition, timeout_s, what, interval_s=0.02):
    """Polls `condition` until it is true and returns its value. Only a failure takes as long as the limit."""
    timeout_s *= SLOWNESS
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise Failure(f"after {timeout_s} s still waiting for {text}")
        time.sleep(interval_s)


class Workspace:
    """A temporary folder and everything started in it. Use as a context, or call close(). KEEP=1 in the environment leaves the folder."""

    _all = []

    def __init__(self, name):
        self.folder = tempfile.mkdtemp(prefix=f"afterimage-e2e-{name}.", dir=os.environ.get("TMPDIR", "/tmp"))
        self.processes, self.shared_memory = [], []
        self.closed = False
        if not Workspace._all:
            atexit.register(Workspace._close_all)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, Workspace._interrupted)
        Workspace._all.append(self)

    @staticmethod
    def _close_all():
        for workspace in Workspace._all:
            workspace.close()

    @staticmethod
    def _interrupted(number, _frame):
        Workspace._close_all()
        sys.exit(128 + number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def close(self):
        if self.closed:
            return
        self.closed = True
        for process in self.processes:
            process.kill()
        for name in self.shared_memory:
            try:
                os.unlink(os.path.join("/dev/shm", name))
            except FileNotFoundError:
                pass
        if os.environ.get("KEEP") == "1":
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child with its output in a log file. `limits`: {resource: value} set in the child."""

    def __init__(self, workspace, name, arguments, environment=None, stdin=False, cwd=None, limits=None):
        self.name, self.log_path = name, workspace.path(f"{name}.log")
        self.arguments = [str(a) for a in arguments]
        self._log = open(self.log_path, "ab")
        self.log_start = self._log.tell()

        def prepare():
            _die_with_parent()
            if limits:
                import resource
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                for which, value in limits.items():
                    resource.setrlimit(which, (value, value))

        self.child = subprocess.Popen(self.arguments, stdout=self._log, stderr=self._log, cwd=cwd or workspace.folder,
                                      stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, start_new_session=True,
                                      env={**os.environ, **(environment or {})}, preexec_fn=prepare)
        workspace.processes.append(self)

    def log(self):
        """Output of this start of the process."""
        with open(self.log_path, "rb") as handle:
            handle.seek(self.log_start)
            return handle.read().decode("utf-8", "replace")

    def mark(self):
        """A place in the log: later waits may begin here."""
        return os.path.getsize(self.log_path)

    def wait_log(self, pattern, timeout_s=20, since=None):
        """Waits for a line with `pattern`; returns the match. Fails at once when the process has ended without it."""
        expression = re.compile(pattern)

        def look():
            ended = self.child.poll() is not None
            with open(self.log_path, "rb") as handle:
                handle.seek(self.log_start if since is None else since)
                match = expression.search(handle.read().decode("utf-8", "replace"))
            if match is None and ended:
                raise Failure(f"{self.name} ended ({self.child.returncode}) before its log had '{pattern}':\n{self.tail()}")
            return match

        return wait_until(look, timeout_s, lambda: f"'{pattern}' in the log of {self.name}:\n{self.tail()}")

    def tail(self, lines=12):
        return "\n".join(self.log().splitlines()[-lines:])

    def command(self, line):
        self.child.stdin.write((line + "\n").encode())
        self.child.stdin.flush()

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        os.killpg(self.child.pid, number)

    def hold(self):
        """SIGSTOP, and waits until the kernel shows every thread of it stopped."""
        self.signal(signal.SIGSTOP)
        wait_until(lambda: self._state() == "T", 5, f"{self.name} to be stopped")

    def release(self):
        self.signal(signal.SIGCONT)

    def _state(self):
        with open(f"/proc/{self.child.pid}/stat") as handle:
            return handle.read().rpartition(")")[2].split()[0]

    def kill(self):
        """SIGKILL to the whole process group, and waits for its end."""
        if self.child.poll() is None:
            try:
                self.signal(signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.child.wait()
        self._close()

    def terminate(self, timeout_s=20):
        """SIGTERM; returns the return code."""
        if self.child.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s=20):
        wait_until(lambda: self.child.poll() is not None, timeout_s, lambda: f"{self.name} to end:\n{self.tail()}")
        self._close()
        return self.child.returncode

    def _close(self):
        if self.child.stdin:
            try:
                self.child.stdin.close()
            except BrokenPipeError:
                pass
        self._log.close()
