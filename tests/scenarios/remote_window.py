"""The window in a process of its own, driven by mouse and keys from a test that may harm it.

Two halves: :class:`RemoteWindow` is what a test holds; run as a program, this file is the process
with the window. They talk in JSON, a line a request and a line an answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

#: User and group without rights.
NOBODY = 65534

#: Label and slice of the strokes change; the size of the window does not, so that the same strokes
#: give the same mask in every run.
WINDOW_PX = (1000, 700)
PATIENCE_S = 240.0

#: What stands for the random part of the names of temporary files, so that faults can aim at them.
NAME_OF_TEMPORARY = "fault"


class RemoteWindow:
    """A window in another process.

    Parameters
    ----------
    user
        Folder of the user's settings, journals and cache.
    """

    def __init__(self, user: Path) -> None:
        user.mkdir(exist_ok=True)
        folders = {
            f"CT_LABELER_{name}_DIR": str(user / name.lower())
            for name in ("CONFIG", "LOCAL", "CACHE")
        }
        environment = {**os.environ, **folders, "PYTHONPATH": str(ROOT), "HOME": str(user)}
        self.user = user
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> RemoteWindow:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def tell(self, act: str, **what: Any) -> None:
        """Ask for an act without waiting for its end."""
        self.process.stdin.write(json.dumps({"act": act, **what}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the end of the oldest act that was asked for."""
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        assert ready, "the window does not answer"
        line = self.process.stdout.readline()
        assert line, f"the window died with exit code {self.process.wait()}"
        found = json.loads(line)
        assert "error" not in found, found["error"]
        return found

    def ask(self, act: str, **what: Any) -> dict[str, Any]:
        """Do something: ``open``, ``paint``, ``save``, ``undo``, ``state`` or ``close``.

        Returns
        -------
        dict
            The state afterwards: ``case``, ``digest`` of the mask, ``is_dirty``, ``read_only``,
            ``message`` of the status bar, ``undo`` names, ``questions`` that were asked,
            ``centroids`` by key; after ``save`` also ``saved``.
        """
        self.tell(act, **what)
        return self.answer()

    def is_answered(self, act: str, **what: Any) -> bool:
        """Ask for an act that may be the last one; whether the window lived to tell."""
        self.tell(act, **what)
        return bool(self.process.stdout.readline())

    def kill(self) -> None:
        """End the process as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    @contextlib.contextmanager
    def faults(self, *what: str, paths: tuple[Path, ...] = ()) -> Iterator[list[str]]:
        """Inject faults into the system calls of the window, with ``strace``.

        Parameters
        ----------
        what
            Options of strace: ``inject=fsync:error=EIO:when=2``.
        paths
            Only calls that have to do with one of these are counted and harmed.

        Yields
        ------
        list of str
            Calls that were harmed; complete after the block.
        """
        command = ["strace", "-f", "-qq", "-p", str(self.pid)]
        command += [f"-P{path}" for path in paths]
        command += [part for option in what for part in ("-e", option)]
        harmed: list[str] = []
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
        try:
            until_s = time.monotonic() + PATIENCE_S
            while not _is_traced(self.pid):
                assert tracer.poll() is None, tracer.stderr.read()
                assert time.monotonic() < until_s
            yield harmed
        finally:
            tracer.terminate()
            try:
                _, errors = tracer.communicate(timeout=2.0)
            except subprocess.TimeoutExpired:  # it waits for threads of a window that was killed
                tracer.kill()
                _, errors = tracer.communicate()
            harmed += [line for line in errors.splitlines() if "INJECTED" in line]

    def temporary(self, folder: Path) -> Path:
        """Path of the temporary file that the window writes in a folder."""
        return folder / f".ct-labeler-{self.pid}-{NAME_OF_TEMPORARY}.tmp"


def can_trace() -> bool:
    """Whether ``strace`` is there and may look into other processes."""
    try:
        done = subprocess.run(
            ["strace", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"],
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _is_traced(pid: int) -> bool:
    """Whether every thread of a process is being traced."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            status = (task / "status").read_text()
            if "TracerPid:\t0\n" in status:
                return False
    return True


# The process with the window


class Driver:
    """Does what the other half asks for, in the window."""

    def __init__(self) -> None:
        from PyQt5.QtCore import QSocketNotifier, QTimer

        from labeler.app import Program, create_application

        self._application = create_application()
        self.program = Program(remember=False)
        self.program.window.resize(*WINDOW_PX)
        self.program.window.show()
        self._questions: list[str] = []
        self._buttons: tuple[str, ...] = ()
        self._outcome: bool | None = None
        self._waiting: tuple[Any, dict[str, Any]] | None = None
        self._next: Callable[[], Any] | None = None
        saver = self.program.saver
        saver.saved.connect(lambda _: self._set_outcome(True))
        saver.failed.connect(lambda _: self._set_outcome(False))
        saver.conflict.connect(lambda *_: self._set_outcome(False))
        saver.notes_conflict.connect(lambda _: self._set_outcome(False))
        self._notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Read)
        self._notifier.activated.connect(self._read)
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(2)

    def run(self) -> None:
        """Serve until the other half ends the process or closes the window."""
        self._application.exec_()

    def _read(self) -> None:
        request = json.loads(os.read(sys.stdin.fileno(), 65536))
        act = request.pop("act")
        try:
            extra, condition = getattr(self, f"_{act}")(**request)
            self._waiting = (condition, extra)
        except Exception as error:
            self._say({"error": f"{type(error).__name__}: {error}"})

    def _look(self) -> None:
        """Answer questions, and tell the other half when what it asked for is done."""
        from PyQt5.QtWidgets import QApplication, QPushButton

        box = QApplication.activeModalWidget()
        if box is not None:
            for button in box.findChildren(QPushButton):
                if button.text().replace("&", "").startswith(self._buttons):
                    self._questions.append(box.objectName())
                    button.click()
                    return
            self._say({"error": f"the question {box.objectName()} was not expected"})
            box.close()
        elif self._waiting is not None and self._waiting[0]():
            extra = {key: value() for key, value in self._waiting[1].items()}
            self._waiting = None
            self._say({**self._facts(), **extra})
            if self._next is not None:
                extra, condition = self._next()
                self._waiting = (condition, extra)

    def _say(self, what: dict[str, Any]) -> None:
        print(json.dumps(what), flush=True)  # noqa: T201 (read by the test)

    def _facts(self) -> dict[str, Any]:
        session = self.program.ws.session
        entry = session.masks.get("draft")
        status = self.program.window.findChild(object, "statusMessage")
        questions, self._questions = self._questions, []
        return {
            "case": None if session.case is None else session.case.id,
            "digest": None if entry is None else digest_of(entry.mask.array),
            "is_dirty": session.is_dirty,
            "read_only": session.read_only_reason,
            "message": status.text(),
            "undo": [edit.name for edit in session.history.done],
            "questions": questions,
            "centroids": session.annotations.entries("centroid"),
        }

    def _set_outcome(self, is_saved: bool) -> None:
        if self._outcome is not False:
            self._outcome = is_saved

    def _is_idle(self) -> bool:
        def is_writing(key: Any) -> bool:
            return isinstance(key, tuple) and key[0] in ("journal", "save", "notes")

        return self.program.has_settled() and not self.program.ws.tasks.is_pending_where(is_writing)

    def _open(self, case: str, root: str, buttons: tuple[str, ...] = ("Restore", "Discard")) -> Any:
        from labeler.workflows.open_folder import Roots

        self._buttons = tuple(buttons)
        self.program.open(Roots(Path(root, "images"), Path(root, "masks")), case)
        session = self.program.ws.session
        return (
            {},
            lambda: (
                session.case is not None
                and session.case.image_root.parent == Path(root)
                and self._is_idle()
            ),
        )

    def _paint(self, number: int) -> Any:
        """Draw stroke ``number`` with the brush, by mouse."""
        from PyQt5.QtCore import QPoint, Qt

        from tests.gui.view_world import drag

        ws = self.program.ws
        self.program.commands.action("tool.brush").trigger()
        ws.selection.set_label(10 + number % 5)
        view = self.program.views.views[0]
        random = np.random.default_rng(number)
        start, end = (
            QPoint(*(int(size * share) for size, share in zip(_size(view), shares, strict=True)))
            for shares in random.uniform(0.3, 0.7, (2, 2))
        )
        for _ in range(number % 3):
            view.step(1)
        drag(view, start, (start + end) / 2, end, button=Qt.LeftButton)
        return {}, self._is_idle

    def _paint_on(self, most: int, number: int = 1) -> Any:
        """Draw strokes one after the other and tell of each when it is done."""
        self._next = (lambda: self._paint_on(most, number + 1)) if number < most else None
        return self._paint(number)

    def _undo(self) -> Any:
        self.program.commands.action("edit.undo").trigger()
        return {}, self._is_idle

    def _note(self, text: str) -> Any:
        from labeler.workflows.review_case import set_status

        set_status(self.program.ws, text)
        return {}, self._is_idle

    def _move_centroid(self, key: str, position_ras: list[float]) -> Any:
        from labeler.workflows.correct_landmarks import move_centroid

        x, y, z = position_ras
        move_centroid(self.program.ws, key, (x, y, z))
        return {}, self._is_idle

    def _save(self, buttons: tuple[str, ...] = ("Cancel", "Later")) -> Any:
        self._outcome = None
        self._buttons = tuple(buttons)
        self.program.commands.action("file.save").trigger()
        saver = self.program.saver
        return (
            {"saved": lambda: bool(self._outcome)},
            lambda: self._outcome is not None and not saver.is_saving and self._is_idle(),
        )

    def _limit_file_size(self, size: int) -> Any:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = hard if size < 0 else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        return {}, lambda: True

    def _become_nobody(self, user: str) -> Any:
        """Give up all rights, but for those in the folder ``user``, for good."""
        for path in (Path(user), *Path(user).rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return {}, lambda: True

    def _state(self) -> Any:
        return {}, lambda: True

    def _close(self, buttons: tuple[str, ...] = ("Discard",)) -> Any:
        self._buttons = tuple(buttons)
        self.program.window.close()
        return {}, self._application.closingDown


def _size(view: Any) -> tuple[int, int]:
    return view.width(), view.height()


def digest_of(array: np.ndarray) -> str:
    """Name the content of a mask."""
    return hashlib.sha256(np.ascontiguousarray(array, np.uint16).tobytes()).hexdigest()[:16]


def _let_tests_trace() -> None:
    """Allow processes of the same user to trace this one (Yama forbids it otherwise)."""
    pr_set_ptracer, anybody = 0x59616D61, ctypes.c_ulong(-1)
    ctypes.CDLL(None).prctl(pr_set_ptracer, anybody, 0, 0, 0)


def main() -> None:
    from labeler.storage import atomic

    class Fixed:
        @staticmethod
        def token_hex(_count: int) -> str:
            return NAME_OF_TEMPORARY

    atomic.secrets = Fixed
    _let_tests_trace()
    Driver().run()


if __name__ == "__main__":
    main()
