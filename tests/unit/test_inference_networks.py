"""Networks made ready, slid over volumes, and their weights: same numbers, nothing executed."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer

from inference import compiled
from inference.contract import Cancelled
from inference.devices import processor_threads, resolve_device
from inference.locations import compiled_networks_folder
from inference.progress import Silent, Span, TimeLeft
from inference.weights import load_weights, save_weights, sha256_of
from inference.window import slide, window_count

SHAPE = (1, 2, 8, 12, 16)


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv3d(2, 4, 3, padding=1),
        torch.nn.InstanceNorm3d(4),
        torch.nn.LeakyReLU(),
        torch.nn.Conv3d(4, 3, 1),
    ).eval()


class Listener:
    def __init__(self, until: float = 2.0) -> None:
        self.heard: list[float] = []
        self.until = until

    def report(self, fraction, text):
        self.heard.append(fraction)

    def check(self):
        if self.heard and self.heard[-1] > self.until:
            raise Cancelled


def test_a_compiled_network_gives_what_torch_gives_also_from_the_cache():
    net = network()
    batch = torch.randn(SHAPE)
    expected = net(batch).detach().numpy()
    for _ in range(2):
        run = compiled.ready(net, SHAPE, device="cpu", key="a")
        np.testing.assert_allclose(run(batch).numpy(), expected, atol=1e-5)
    assert len(list(compiled_networks_folder().glob("*.xml"))) == 1
    other = compiled.ready(network(1), SHAPE, device="cpu", key="b")
    assert np.abs(other(batch).numpy() - expected).max() > 0.01


def test_results_of_a_compiled_network_stay_what_they_are():
    run = compiled.ready(network(), SHAPE, device="cpu", key="a")
    first = run(torch.zeros(SHAPE))
    kept = first.clone()
    run(torch.randn(SHAPE))
    assert torch.equal(first, kept)


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_damaged_cache_is_made_again(suffix):
    batch = torch.randn(SHAPE)
    expected = compiled.ready(network(), SHAPE, device="cpu", key="a")(batch)
    for path in compiled_networks_folder().glob(f"*{suffix}"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    again = compiled.ready(network(), SHAPE, device="cpu", key="a")(batch)
    torch.testing.assert_close(again, expected)


def test_a_cache_that_cannot_be_written_costs_time_only(isolated_user):
    (isolated_user / "cache").mkdir()
    compiled_networks_folder().write_text("a file in the way")
    batch = torch.randn(SHAPE)
    run = compiled.ready(network(), SHAPE, device="cpu", key="a")
    np.testing.assert_allclose(run(batch).numpy(), network()(batch).detach().numpy(), atol=1e-5)


def test_old_networks_leave_the_cache(monkeypatch):
    monkeypatch.setattr(compiled, "_KEPT", 2)
    for key in "abc":
        compiled.ready(network(), SHAPE, device="cpu", key=key)
    assert len(list(compiled_networks_folder().glob("*.xml"))) == 2
    assert len(list(compiled_networks_folder().glob("*.bin"))) == 2


def test_what_openvino_cannot_run_torch_does():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.special.zeta(x.abs() + 2.0, torch.ones(1))

    batch = torch.rand(SHAPE)
    run = compiled.ready(Odd(), SHAPE, device="cpu", key="odd")
    torch.testing.assert_close(run(batch), Odd()(batch))


def test_openvino_tells_nobody_about_its_use():
    program = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a connection was made')\n"
        "socket.socket.connect = refuse\n"
        "import torch\n"
        "from inference import compiled\n"
        "run = compiled.ready(torch.nn.Conv3d(1, 1, 1), (1, 1, 4, 4, 4), device='cpu', key='x')\n"
        "run(torch.zeros(1, 1, 4, 4, 4))\n"
        "assert 'openvino' in sys.modules\n"
        "print([n for n, m in sys.modules.items() if n.startswith('openvino_telemetry') and m])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shape", [(20, 25, 40), (5, 12, 40), (8, 12, 16)])
def test_sliding_gives_what_monai_gives(shape):
    net = network()
    volume = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    listener = Listener()
    found = slide(volume, net, SHAPE[2:], context=listener, text="x", overlap=0.25)
    with torch.no_grad():
        inferer = SlidingWindowInferer(SHAPE[2:], 1, 0.25, "gaussian")
        expected = inferer(torch.from_numpy(volume)[None], net)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(listener.heard) == 1 + window_count(shape, SHAPE[2:], 0.25)
    assert listener.heard == sorted(listener.heard)
    assert (listener.heard[0], listener.heard[-1]) == (0.0, 1.0)


def test_mirrored_patches_are_averaged():
    volume = np.random.default_rng(0).normal(size=SHAPE[1:]).astype(np.float32)
    net = network()
    options = {"context": Silent(), "text": "x"}
    both = slide(volume, net, SHAPE[2:], mirror_axes=(0, 2), **options)
    flipped = slide(volume[:, ::-1].copy(), net, SHAPE[2:], mirror_axes=(0, 2), **options)
    np.testing.assert_allclose(flipped[:, ::-1], both, atol=1e-5)


def test_sliding_stops_before_the_next_patch():
    volume = np.zeros((2, 30, 40, 50), np.float32)
    listener = Listener(until=0.3)
    with pytest.raises(Cancelled):
        slide(volume, network(), SHAPE[2:], context=listener, text="x")
    assert listener.heard[-1] < 0.35


def test_spans_share_out_progress():
    listener = Listener()
    outer = Span(listener, 0.2, 0.8)
    inner = Span(outer, 0.5, 1.0)
    for fraction in (-1, 0, 0.5, 1, 2):
        inner.report(fraction, "")
    assert listener.heard == pytest.approx([0.5, 0.5, 0.65, 0.8, 0.8])


def test_time_left_is_right_when_progress_is_steady():
    now = [0.0]
    time_left = TimeLeft(lambda: now[0])
    assert time_left.update(0.5) is None  # nothing is known in the first second
    now[0] = 10.0
    assert time_left.update(0.01) is None
    assert time_left.update(0.25) == pytest.approx(30.0)
    assert time_left.update(1.0) == 0.0


def test_weights_come_back_equal_also_when_they_share_memory(tmp_path):
    state = network().state_dict()
    state["again"] = state["0.weight"]
    sha256 = save_weights(tmp_path / "w.safetensors", state)
    assert sha256 == sha256_of(tmp_path / "w.safetensors")
    back = load_weights(tmp_path / "w.safetensors", sha256)
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


def test_weights_that_are_none_are_refused_and_never_unpickled(tmp_path):
    path = tmp_path / "w.safetensors"
    sha256 = save_weights(path, network().state_dict())
    trap = tmp_path / "executed"
    good = path.read_bytes()
    huge_header = (2**60).to_bytes(8, "little") + b"{}"
    for data in (b"", good[:-10], huge_header, pickle.dumps(Payload(trap)), b"\xff" * 500):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="not those of the card"):
            load_weights(path, sha256)
        with pytest.raises(ValueError, match="no safetensors file"):
            load_weights(path, sha256_of(path))
    assert not trap.exists()
    with pytest.raises(ValueError, match="cannot be read"):
        load_weights(tmp_path / "none", sha256)


def test_devices():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda:0" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ValueError, match="auto, cpu or cuda"):
        resolve_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="choose cpu"):
            resolve_device("cuda")
    assert 1 <= processor_threads() <= 16
