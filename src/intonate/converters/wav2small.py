"""wav2small (Kounades-Bastian et al. 2024): arousal, dominance and valence by some 17,000 weights.

Recognised by the names of its tensors: `config.json` says little, and code that lies beside it is not run. The waveform
is normalised; a spectrogram of 4 ms windows becomes 26 mel bands in decibels, seven convolutions read it, and the
attention-weighted sum over time with the products of its channels goes into one layer.
"""

from __future__ import annotations

from typing import Any

from intonate.converters.checkpoint import NUMBERS_REMARK, Checkpoint, Description
from intonate.converters.transformers_classifier import CONFIG, LONGEST_S
from intonate.errors import ModelError, require
from intonate.published import tensors
from intonate.schema import ModelInput, ModelSpec, Pool

# In this order (their card).
DIMENSIONS = ("arousal", "dominance", "valence")
MARKS = frozenset({"vgg7.l1.conv.weight", "vgg7.sof.weight", "adv.weight"})
# Samples from one window to the next.
HOP = 32
LAYERS = 7
# The convolution behind which the picture is halved.
HALVED = 3


def recognises(checkpoint: Checkpoint) -> bool:
    config = checkpoint.json(CONFIG)
    if config is None or "wav2small" in str(config.get("architectures", "")).lower():
        return config is not None
    try:
        return tensors.names(tensors.file_in(checkpoint.folder, checkpoint.name)) >= MARKS
    except ModelError:
        return False


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: there are no weights.
    """
    tensors.file_in(checkpoint.folder, checkpoint.name)
    spec = checkpoint.spec(
        labels=(),
        dimensions=DIMENSIONS,
        inputs=(ModelInput("waveform", "waveform"),),
        pool=Pool(longest_s=LONGEST_S),
    )
    return Description(spec, "Wav2Small", {dimension: dimension for dimension in DIMENSIONS}, NUMBERS_REMARK)


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """(batch, samples) -> (batch, dimensions).

    Raises:
        ModelError: weights are missing, or have other shapes.
    """
    from intonate.models.contract import Network

    torch = require("torch", "train")
    path = tensors.file_in(checkpoint.folder, checkpoint.name)
    source, weights = f"{checkpoint.name}: {path.name}", tensors.read(path)
    window = _shape(weights, "vgg7.spectrogram_extractor.conv_real.weight", 3, source)[2]
    bands = _shape(weights, "vgg7.logmel_extractor.melW", 2, source)[1]
    channels = _shape(weights, "vgg7.l1.conv.weight", 4, source)[0]
    columns = channels * ((bands + 1) // 2 + channels)

    def convolution(inputs: int) -> Any:
        module = torch.nn.Module()
        module.conv = torch.nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        module.norm = torch.nn.BatchNorm2d(channels)
        return module

    class Wav2Small(Network):
        def __init__(self) -> None:
            super().__init__()
            bins = window // 2 + 1
            self.vgg7 = torch.nn.Module()
            for place in range(LAYERS):
                setattr(self.vgg7, f"l{place + 1}", convolution(1 if place == 0 else channels))
            self.vgg7.lin, self.vgg7.sof = (torch.nn.Conv2d(channels, channels, 1) for _ in range(2))
            spectrum, mel = torch.nn.Module(), torch.nn.Module()
            spectrum.conv_real, spectrum.conv_imag = (
                torch.nn.Conv1d(1, bins, window, stride=HOP, bias=False) for _ in range(2)
            )
            mel.register_buffer("melW", torch.zeros(bins, bands))
            mel.register_buffer("amin", torch.zeros(1))
            self.vgg7.spectrogram_extractor, self.vgg7.logmel_extractor = spectrum, mel
            self.adv = torch.nn.Linear(columns, len(spec.dimensions))

        def decibels(self, waveform: Any) -> Any:
            """(batch, samples) -> (batch, 1, windows, bands)."""
            spectrum, mel = self.vgg7.spectrogram_extractor, self.vgg7.logmel_extractor
            real, imaginary = spectrum.conv_real(waveform[:, None]), spectrum.conv_imag(waveform[:, None])
            power = (real * real + imaginary * imaginary).transpose(1, 2)[:, None] @ mel.melW
            return 10 * torch.log10(torch.maximum(power, mel.amin))

        def forward(self, waveform: Any) -> Any:
            picture = self.decibels(waveform)
            for place in range(1, LAYERS + 1):
                layer = getattr(self.vgg7, f"l{place}")
                picture = torch.relu(layer.norm(layer.conv(picture)))
                if place == HALVED:
                    picture = torch.nn.functional.max_pool2d(picture, 3, stride=2, padding=1)
            # (batch, channels, bands / 2)
            summed = (self.vgg7.lin(picture) * self.vgg7.sof(picture).softmax(dim=2)).sum(dim=2)
            joined = torch.cat([summed, summed @ summed.transpose(1, 2)], dim=2)
            return self.adv(joined.flatten(1))

    module = Wav2Small()
    batches = {name: tensor for name, tensor in module.state_dict().items() if name.endswith("num_batches_tracked")}
    tensors.fill({"": module}, batches | dict(weights), source)
    return module


def _shape(weights: Any, name: str, axes: int, source: str) -> tuple[int, ...]:
    shape = tuple(weights[name].shape) if name in weights else ()
    if len(shape) != axes:
        raise ModelError(f"{source} has no {name}, or in another shape {shape}; fetch the whole checkpoint again")
    return shape
