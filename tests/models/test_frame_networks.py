"""CNN, RNN and Transformer over frames, CNN-LSTM over windows: padding, order, options, and what they refuse."""

import numpy as np
import pytest
import torch
import toy

from intonate import features, models
from intonate.errors import RecipeError
from intonate.export.onnx import TOLERANCE, write_torch
from intonate.models.cnn_lstm import CNNLSTM
from intonate.models.recurrent import Recurrent
from intonate.models.transformer import Transformer, positions
from intonate.schema import ModelInput, ModelSpec

COLUMNS = 6
# Every way in which those of this suite can be built.
BUILT = {
    "cnn": ("cnn", {"channels": (8, 8, 8)}),
    "lstm": ("recurrent", {"cell": "lstm", "width": 8}),
    "gru": ("recurrent", {"cell": "gru", "width": 8}),
    "gru forwards": ("recurrent", {"cell": "gru", "width": 8, "bidirectional": False, "layers": 1}),
    "transformer": ("transformer", {"width": 16, "layers": 2, "heads": 2, "hidden": 16}),
    "resnet34": ("resnet34", {"channels": (4, 6, 8, 8), "blocks": (1, 1, 1, 1)}),
}


def network_of(name: str, columns: dict[str, int]) -> torch.nn.Module:
    torch.manual_seed(0)
    model, params = BUILT[name]
    return models.get(model)(4, columns, **params).eval()


@pytest.mark.parametrize("name", BUILT)
def test_what_lies_in_the_padding_does_not_matter(name):
    """Not zeros but noise: a bidirectional net, or a mask left out, would show."""
    network, frames = network_of(name, {"frames": COLUMNS}), torch.randn(1, 90, COLUMNS)
    for length in (1, 2, 31, 64):
        with torch.no_grad():
            alone = network(frames[:, :length], torch.tensor([length]))
            torch.testing.assert_close(network(frames, torch.tensor([length])), alone, rtol=1e-4, atol=1e-5)
            assert (network(frames, torch.tensor([90])) - alone).abs().max() > 1e-4, "the rest does matter"


@pytest.mark.parametrize("name", [name for name in BUILT if name != "resnet34"])
def test_descriptors_are_heard_beside_the_frames(name):
    network = network_of(name, {"frames": COLUMNS, "descriptors": 3})
    frames, lengths = torch.randn(2, 40, COLUMNS), torch.tensor([40, 12])
    with torch.no_grad():
        one, other = (network(frames, lengths, torch.full((2, 3), value)) for value in (0.0, 1.0))
    assert ((one - other).abs().amax(dim=1) > 1e-3).all()


@pytest.mark.parametrize("name", [name for name in BUILT if name != "resnet34"])
def test_linguistic_features_stand_beside_the_descriptors(name):
    network = network_of(name, {"frames": COLUMNS, "descriptors": 3, "linguistic": 2})
    frames, lengths = torch.randn(2, 40, COLUMNS), torch.tensor([40, 25])
    zeros, ones = (torch.full((2, 3), value) for value in (0.0, 1.0))
    with torch.no_grad():
        answers = [network(frames, lengths, *vectors) for vectors in ((zeros, zeros[:, :2]), (zeros, ones[:, :2]))]
        swapped = network(frames, lengths, ones, zeros[:, :2])
    assert ((answers[0] - answers[1]).abs().amax(dim=1) > 1e-3).all()
    assert ((answers[0] - swapped).abs().amax(dim=1) > 1e-3).all()


@pytest.mark.parametrize("name", BUILT)
def test_the_file_answers_the_same_at_any_length(name, tmp_path):
    rng = np.random.default_rng(0)
    clips = [{"frames": rng.normal(size=(length, COLUMNS)).astype(np.float32)} for length in (1, 57, 300)]
    inputs = (ModelInput("frames", "mfcc", {"coefficients": COLUMNS}, lengths="frames_lengths"),)
    spec = ModelSpec(name="x", labels=("a", "b", "c", "d"), inputs=inputs, sample_rate_hz=16_000)
    assert write_torch(network_of(name, {"frames": COLUMNS}), spec, clips, tmp_path / "x.onnx") <= TOLERANCE


def test_both_directions_are_read_as_torch_reads_them():
    network, seen = network_of("lstm", {"frames": COLUMNS}), []
    network.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    both = torch.nn.LSTM(COLUMNS, 8, num_layers=2, batch_first=True, bidirectional=True)
    weights = {}
    for direction, end in ((network.forth, ""), (network.back, "_reverse")):
        for place, layer in enumerate(direction):
            weights |= {key.replace("_l0", f"_l{place}{end}"): value for key, value in layer.state_dict().items()}
    both.load_state_dict(weights)
    frames, lengths = torch.randn(2, 9, COLUMNS), torch.tensor([9, 5])
    with torch.no_grad():
        network(frames, lengths)
        packed = torch.nn.utils.rnn.pack_padded_sequence(frames, lengths, batch_first=True)
        wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(both(packed)[0], batch_first=True)
    torch.testing.assert_close(seen[0][0], wanted[0])
    torch.testing.assert_close(seen[0][1, :5], wanted[1, :5])


def test_the_order_of_the_frames_counts_for_a_transformer():
    network, frames = network_of("transformer", {"frames": COLUMNS}), torch.randn(1, 64, COLUMNS)
    with torch.no_grad():
        one, other = (network(x, torch.tensor([64])) for x in (frames, frames.flip(1)))
    assert (one - other).abs().max() > 1e-3


def test_positions_are_those_of_the_paper():
    found = positions(50, 8, torch.device("cpu"))
    angle = 49 / 10_000 ** (2 / 8)
    assert float(found[49, 1]) == pytest.approx(np.sin(angle), abs=1e-5)
    assert float(found[49, 5]) == pytest.approx(np.cos(angle), abs=1e-5)


def test_windows_come_apart_as_the_front_end_put_them_together():
    params = {"coefficients": COLUMNS}
    waveform = toy.voice("sad", 0, np.random.default_rng(0))
    rows = features.get("mfcc")(waveform, 16_000, **params)
    windows = features.get("windows")(waveform, 16_000, of="mfcc", params=params, length=16, hop=8)
    network, seen = CNNLSTM(4, {"windows": windows.shape[1]}, length=16, channels=(4, 4), width=4).eval(), []
    network.convolutions.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        network(torch.from_numpy(windows)[None], torch.tensor([len(windows)]))
    np.testing.assert_array_equal(seen[0][1].numpy().T, rows[8:24])


def test_windows_beyond_the_end_do_not_matter():
    network = CNNLSTM(4, {"windows": 16 * COLUMNS}, length=16, channels=(4, 4), width=4).eval()
    windows = torch.randn(1, 9, 16 * COLUMNS)
    with torch.no_grad():
        alone = network(windows[:, :4], torch.tensor([4]))
        torch.testing.assert_close(network(windows, torch.tensor([4])), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Recurrent(4, {"frames": 5}, cell="elman"), "cell is lstm or gru; got 'elman'"),
        (lambda: Transformer(4, {"frames": 5}, width=100, heads=8), "multiple of 2 × heads = 16; got 100"),
        (lambda: CNNLSTM(4, {"windows": 1_000}, length=48), "windows of 1000 values"),
        (lambda: CNNLSTM(4, {"windows": 80}, length=4), "at least 8"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(build, words):
    with pytest.raises(RecipeError, match=words):
        build()
