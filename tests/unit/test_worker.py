"""The process of the models: what it answers, and what becomes of the caller when it does not."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from inference import _worker_protocol as protocol
from inference import worker as worker_module
from inference.contract import Cancelled, Image, Request, Result
from inference.signals import Signals, described_signals
from inference.worker import RefusedError, Worker, WorkerError
from tests import plugin_models

AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])


class Listener:
    """A context that remembers, and cancels when it has heard a text."""

    def __init__(self, cancel_at: str = "") -> None:
        self.heard: list[tuple[float, str]] = []
        self.cancel_at = cancel_at
        self.cancelled_s = 0.0

    def report(self, fraction: float, text: str) -> None:
        self.heard.append((fraction, text))

    def check(self) -> None:
        if self.cancel_at and any(self.cancel_at in text for _, text in self.heard):
            self.cancelled_s = self.cancelled_s or time.monotonic()
            raise Cancelled


def request(**params) -> Request:
    array = np.random.default_rng(0).integers(-100, 100, (3, 4, 5), dtype=np.int16)
    return Request({"PV": Image(array, AFFINE)}, params)


@pytest.fixture
def worker(tmp_path, monkeypatch):
    plugin_models.install(tmp_path, monkeypatch)
    with Worker(device="cpu", hang_timeout_s=20) as worker:
        yield worker


def assert_works(worker: Worker) -> None:
    """The next run is right, whatever happened before."""
    asked = request()
    result = worker.run("threshold", asked, Listener()).result
    np.testing.assert_array_equal(result.mask.array, asked.images["PV"].array > 0)


def test_a_result_comes_back_whole_with_how_it_came_about(worker):
    asked = request()
    listener = Listener()
    ran = worker.run("threshold", asked, listener)
    np.testing.assert_array_equal(ran.result.mask.array, asked.images["PV"].array > 0)
    np.testing.assert_array_equal(ran.result.mask.affine_ras, AFFINE)
    assert (ran.device, ran.weights) == ("cpu", "00ff")
    assert 0 < ran.seconds < 60
    assert 10 < ran.peak_rss_mb < 10_000
    fractions = [fraction for fraction, _ in listener.heard]
    assert fractions == sorted(fractions)
    assert listener.heard[0] == (0.0, "Loading the model")


def test_process_and_model_stay_for_the_next_run(worker):
    first = worker.run("threshold", request(), Listener()).result.measures
    second = worker.run("threshold", request(), Listener()).result.measures
    assert first["pid"] == second["pid"] == worker.pid != os.getpid()
    assert (first["runs"], second["runs"]) == (1, 2)


def test_what_libraries_print_disturbs_nothing(worker):
    assert worker.run("chatty", request(), Listener()).result.mask is not None


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("doubting", RefusedError, "this is no liver"),
        ("no-such", RefusedError, "There is no model no-such"),
        ("raising", WorkerError, "The model failed .KeyError: 'bug'."),
        ("killed", WorkerError, "was killed"),
        ("crashing", WorkerError, "crashed .SIGSEGV."),
        ("leaving", WorkerError, "exit code 3"),
        ("misshapen", WorkerError, "not on the grid of an image"),
        ("mislabelled", WorkerError, "the label 9"),
        ("garbling", WorkerError, "nobody can read"),
        ("broken", RefusedError, "broken on purpose"),
    ],
)
def test_a_failure_is_a_sentence_and_the_next_run_works(worker, model, error, words):
    with pytest.raises(error, match=words) as raised:
        worker.run(model, request(), Listener())
    assert raised.type is error
    assert "\n" not in str(raised.value)
    assert_works(worker)


def test_more_memory_than_allowed_is_a_sentence(tmp_path, monkeypatch):
    plugin_models.install(tmp_path, monkeypatch)
    with Worker(device="cpu", memory_limit_bytes=3 << 30) as worker:
        with pytest.raises(WorkerError, match="more memory than there is"):
            worker.run("hungry", request(), Listener())
        assert_works(worker)


def test_a_model_without_a_sign_of_life_is_stopped(tmp_path, monkeypatch):
    plugin_models.install(tmp_path, monkeypatch)
    with Worker(device="cpu", hang_timeout_s=1.0) as worker:
        with pytest.raises(WorkerError, match="no sign of life for 1 s"):
            worker.run("hanging", request(), Listener())
        assert worker.pid is None


def test_soft_cancel_keeps_the_process(worker):
    assert_works(worker)
    pid = worker.pid
    listener = Listener(cancel_at="until cancelled")
    with pytest.raises(Cancelled):
        worker.run("patient", request(), listener)
    assert time.monotonic() - listener.cancelled_s < 1.0
    assert worker.pid == pid
    assert_works(worker)


@pytest.mark.parametrize("model", ["hanging", "holding"])
def test_a_model_that_does_not_listen_is_killed(worker, model, monkeypatch):
    monkeypatch.setattr(worker_module, "GRACE_S", 0.3)
    assert_works(worker)
    pid = worker.pid
    listener = Listener(cancel_at="h")
    listener.cancel_at = "hanging" if model == "hanging" else "holding"
    with pytest.raises(Cancelled):
        worker.run(model, request(), listener)
    assert time.monotonic() - listener.cancelled_s < 2.0
    assert not psutil.pid_exists(pid)
    assert_works(worker)


def test_cancelled_before_it_began_starts_nothing(worker):
    listener = Listener(cancel_at="x")
    listener.heard.append((0.0, "x"))
    with pytest.raises(Cancelled):
        worker.run("threshold", request(), listener)
    assert worker.pid is None


def test_a_caller_that_fails_gets_its_own_exception(worker):
    class Failing(Listener):
        def report(self, fraction, text):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        worker.run("threshold", request(), Failing())
    assert_works(worker)


def test_closing_ends_a_run_and_further_runs(worker):
    listening = threading.Event()

    class Telling(Listener):
        def report(self, fraction, text):
            if text == "until cancelled":
                listening.set()

    errors = []

    def run() -> None:
        try:
            worker.run("patient", request(), Telling())
        except WorkerError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert listening.wait(30)
    pid = worker.pid
    worker.close()
    thread.join(10)
    assert errors
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerError, match="shut down"):
        worker.run("threshold", request(), Listener())


def test_a_process_killed_while_idle_is_replaced(worker):
    assert_works(worker)
    os.kill(worker.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(worker.pid)] if worker.pid else [], timeout=5)
    assert_works(worker)


def test_no_files_in_shared_memory_and_no_open_descriptors_are_left(worker):
    assert_works(worker)
    shared = set(os.listdir("/dev/shm"))
    before = psutil.Process().num_fds()
    for model in ("threshold", "killed", "misshapen", "threshold"):
        try:
            worker.run(model, request(), Listener())
        except WorkerError:
            pass
    assert psutil.Process().num_fds() == before
    assert set(os.listdir("/dev/shm")) <= shared


@pytest.mark.parametrize("model", ["patient", "hanging", "holding"])
def test_the_process_dies_with_its_caller(model, tmp_path, monkeypatch):
    plugin_models.install(tmp_path, monkeypatch)
    program = textwrap.dedent(f"""
        import numpy as np
        from inference.contract import Image, Request
        from inference.worker import Worker

        worker = Worker(device="cpu")

        class Telling:
            def report(self, fraction, text):
                if fraction == 0.5:
                    print(worker.pid, flush=True)
            def check(self): ...

        image = Image(np.ones((2, 2, 2), np.int16), np.eye(4))
        worker.run({model!r}, Request({{"PV": image}}), Telling())
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], "."])}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as caller:
        child = psutil.Process(int(caller.stdout.readline()))
        caller.kill()
    # an orphan belongs to init or a subreaper, which may be slow to collect it
    deadline_s = time.monotonic() + 5
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline_s, "the process outlived its caller"


def test_the_callers_side_loads_no_networks():
    program = (
        "import sys\n"
        "from inference import registry, worker\n"
        "registry.list_models()\n"
        "print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    loaded = {name.split(".")[0] for name in found.stdout.decode().split()}
    assert "inference" in loaded
    assert not loaded & {"torch", "monai", "openvino", "safetensors", "numba", "scipy", "nibabel"}


@pytest.fixture
def channels():
    ends = [protocol.Channel(end) for end in socket.socketpair()]
    yield ends
    for end in ends:
        end.close()


def test_messages_and_files_arrive_in_order(channels):
    here, there = channels
    arrays = [np.full((2, 3, 4), n, np.int16) for n in (1, 2)]
    for array in arrays:
        descriptor, _ = protocol.memory_file([array])
        here.send({"n": int(array[0, 0, 0])}, descriptor)
        os.close(descriptor)
        here.send({"text": "without a file"})
    for array in arrays:
        message, descriptor = there.receive(1)
        np.testing.assert_array_equal(
            protocol.read_array(descriptor, array.dtype, array.shape), array
        )
        os.close(descriptor)
        assert message["n"] == array[0, 0, 0]
        assert there.receive(1)[1] is None
    assert there.receive(0) is None


@pytest.mark.parametrize(
    "line", [b"\xff\n", b"[1]\n", b"{\n", b'{"file": true}\n', b"[" * 99999 + b"\n"]
)
def test_garbage_is_told_from_messages(line):
    raw, end = socket.socketpair()
    channel = protocol.Channel(end)
    with raw:
        threading.Thread(target=raw.sendall, args=(line,)).start()
        with pytest.raises(protocol.ChannelGarbage):
            channel.receive(5)
    channel.close()


def test_a_file_that_is_too_short_is_an_error_not_a_signal():
    descriptor, _ = protocol.memory_file([np.ones((1, 1, 10), np.uint8)])
    with pytest.raises(ValueError, match="too short"):
        protocol.read_array(descriptor, np.dtype(np.uint8), (1, 100, 100))
    os.close(descriptor)


SIGNALS = Signals(
    (19, 20),
    np.arange(12, dtype=np.float32).reshape(4, 3),
    np.arange(8, dtype=np.uint8).reshape(2, 4),
    chosen=((19, 1), (20, 3)),
    runner_up=((20, 1),),
    runner_up_share=0.5,
)
SEEN = described_signals(SIGNALS)


def answer(**changes) -> dict:
    mask = {"dtype": "uint8", "shape": [3, 4, 5], "affine": AFFINE.tolist()}
    message = {
        "mask": mask, "landmarks": None, "measures": None, "report": "", "findings": [],
        "warnings": [],
        "picture": "", "signals": None,
    }  # fmt: skip
    return json.loads(json.dumps({**message, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"mask": {"dtype": "uint8", "shape": [3, 4, 6], "affine": AFFINE.tolist()}},
        {"mask": {"dtype": "uint8", "shape": [3, 4, 5], "affine": np.eye(4).tolist()}},
        {"mask": {"dtype": "float64", "shape": [3, 4, 5], "affine": AFFINE.tolist()}},
        {"mask": {"dtype": "object", "shape": [3, 4, 5], "affine": AFFINE.tolist()}},
        {"mask": None},
        {"landmarks": [{"label": 1, "position_ras": [0, 0], "confidence": 1, "flags": []}]},
        {"measures": {"volume": [1, 2]}},
        {"findings": [{"label": 1}]},
        {"signals": {"labels": [19]}},
        {"signals": {**SEEN, "chosen": [[19, 900]]}},
        {"signals": {**SEEN, "line_ras": "AAAA"}},
    ],
)
def test_a_result_is_checked_by_the_caller_too(changes):
    descriptor, _ = protocol.memory_file([np.ones((3, 4, 5), np.uint8)])
    protocol.read_result(answer(), descriptor, request())
    with pytest.raises((ValueError, TypeError, KeyError)):
        protocol.read_result(answer(**changes), descriptor, request())
    os.close(descriptor)


def test_signals_come_through_as_they_were():
    result = Result(landmarks=(), signals=SIGNALS)
    message, descriptor = protocol.result_message(result)
    assert descriptor is None
    there = protocol.read_result(json.loads(json.dumps(message)), None, request()).signals
    assert there is not None
    assert there.labels == SIGNALS.labels
    assert (there.chosen, there.runner_up) == (SIGNALS.chosen, SIGNALS.runner_up)
    assert there.runner_up_share == 0.5
    np.testing.assert_array_equal(there.line_ras, SIGNALS.line_ras)
    np.testing.assert_array_equal(there.values, SIGNALS.values)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ()},
        {"line_ras": np.zeros((4, 2), np.float32)},
        {"line_ras": np.zeros((5, 3), np.float32)},
        {"line_ras": np.full((4, 3), np.nan, np.float32)},
        {"values": np.zeros((2, 4), np.float32)},
        {"chosen": ((19, 4),)},
        {"runner_up": ((7, 1),)},
        {"runner_up_share": 1.5},
        {"line_ras": np.zeros((5000, 3), np.float32), "values": np.zeros((2, 5000), np.uint8)},
    ],
)
def test_signals_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError, match=r"signals|runner-up"):
        replace(SIGNALS, **changes)
