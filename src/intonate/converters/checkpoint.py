"""A checkpoint of others on this machine: its folder, the small files in it, and what they say of licence and labels.

Nothing here loads torch: what can be refused by its configuration is refused before that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from intonate import __version__
from intonate.audio import kinds
from intonate.emotions import canonical_or_same
from intonate.errors import ModelError, require
from intonate.published.files import incomplete
from intonate.recognizer.conversions import READ, checkpoint_title
from intonate.schema import ModelInput, ModelSpec

# What stands in the place of a label that nobody gave a name.
NO_NAME = re.compile(r"(label[_ ]?)?\d*", re.IGNORECASE)
# Of dimensions, for the card.
NUMBERS_REMARK = "Its numbers are on its own scale, from 0 to 1; what goes beyond is cut off."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where it is.

    Attributes:
        name: what the user called it: `hf:ORG/NAME`, or a folder.
        folder: with its files.
    """

    name: str
    folder: Path

    def has(self, *files: str) -> bool:
        return all((self.folder / file).is_file() for file in files)

    def require(self, *files: str) -> None:
        """Raises: ModelError: one of them is missing."""
        for file in files:
            if not self.has(file):
                raise incomplete(self.name, file)

    def text(self, file: str) -> str:
        """A file in UTF-8, a byte order mark before it or not. Raises: ModelError: it is missing, or not fetched."""
        self.require(file)
        kinds.check_fetched(self.folder / file, ModelError)
        return (self.folder / file).read_text(encoding="utf-8-sig", errors="replace")

    def json(self, file: str) -> dict[str, Any] | None:
        """The object in a JSON file; None where there is no such file."""
        if not self.has(file):
            return None
        try:
            content = json.loads(self.text(file))
        except json.JSONDecodeError as error:
            raise ModelError(
                f"{self.folder / file} is not JSON in UTF-8 (line {error.lineno}: {error.msg}); mend that line, or "
                "fetch the checkpoint again"
            ) from error
        return _require_mapping(content, self.folder / file)

    def yaml(self, file: str) -> dict[str, Any] | None:
        """The mapping in a YAML file, in which nothing is built or run; None where there is no such file."""
        if not self.has(file):
            return None
        yaml = require("yaml", "train")
        try:
            content = yaml.load(self.text(file), _yaml_loader_without_code(yaml))
        except yaml.YAMLError as error:
            raise ModelError(
                f"{self.folder / file} is not YAML ({' '.join(str(error).split())[:120]}); fetch the checkpoint again"
            ) from error
        return _require_mapping(content, self.folder / file)

    def front_matter(self) -> dict[str, Any]:
        """What its own card says at its top, as YAML between two lines of dashes; empty if nothing."""
        if not self.has("README.md"):
            return {}
        yaml = require("yaml", "train")
        preamble, _, body = self.text("README.md").partition("---\n")
        try:
            content = yaml.safe_load(body.partition("\n---")[0]) if not preamble.strip() else None
        except yaml.YAMLError:
            return {}
        return content if isinstance(content, dict) else {}

    def licence(self) -> str:
        about = self.front_matter()
        licence_text = " ".join(map(str, filter(None, [*listing(about.get("license")), about.get("license_name")])))
        return licence_text or f"not stated by {self.name}; ask its authors before you use it"

    def fingerprint(self) -> str:
        """No recipe of ours made it: which files did. First 12 hex digits of SHA-256 over configuration and weights."""
        digest = hashlib.sha256()
        for path in files_of(self.folder):
            with path.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()[:12]

    def spec(self, labels: Sequence[str], inputs: tuple[ModelInput, ...], **more: Any) -> ModelSpec:
        """The spec of the model file, with what every checkpoint has."""
        return ModelSpec(
            name=checkpoint_title(self.name),
            labels=tuple(labels),
            inputs=inputs,
            **{
                # A clip is never padded: beside a longer one its answer would change.
                "batching": "equal_length",
                "languages": tuple(map(str, listing(self.front_matter().get("language")))),
                "licence": self.licence(),
                "recipe_hash": self.fingerprint(),
                "intonate_version": __version__,
                **more,
            },
        )


@dataclass(frozen=True, slots=True)
class Description:
    """What a checkpoint will be.

    Attributes:
        spec: of the model file.
        architecture: what its authors call the network.
        outputs: {the checkpoint's own name of an output: its name here}.
        remark: for the card: what else there is to know; empty for nothing.
    """

    spec: ModelSpec
    architecture: str
    outputs: Mapping[str, str]
    remark: str = ""


class Family(Protocol):
    """What a module in `converters/` does for one family of checkpoints."""

    def recognises(self, checkpoint: Checkpoint) -> bool:
        """Whether the layout is this family's, by its configuration alone."""

    def describe(self, checkpoint: Checkpoint) -> Description:
        """What will come of it. Raises a ModelError, before torch is loaded, where it cannot be used."""

    def network(self, checkpoint: Checkpoint, spec: ModelSpec) -> Any:
        """A torch module from the spec's inputs to logits in the order of its labels, with the published weights."""


def files_of(folder: Path) -> list[Path]:
    """The files by which a checkpoint is known: configuration and weights, in order."""
    return sorted({path for pattern in READ for path in folder.glob(pattern)})


def raw_labels(config: Mapping[str, Any], name: str) -> list[str]:
    """What `id2label` of a configuration calls the outputs, in their order; empty where it names none.

    Raises:
        ModelError: it does not number them from 0 on, without a gap.
    """
    labels = config.get("id2label") or {}
    places = [str(place) for place in range(len(labels))]
    if not isinstance(labels, Mapping) or {str(key) for key in labels} != set(places):
        raise ModelError(
            f"{name} does not number its outputs from 0 on in id2label of its config.json ({str(labels)[:100]}); "
            'write all their names there, in their order: {"0": "angry", "1": "happy", ...}'
        )
    # A number as a name is what it looks like, and null is no name.
    texts = {str(key): "" if label is None else str(label) for key, label in labels.items()}
    return [texts[place] for place in places]


def labels_of(raw: Sequence[str], name: str, source: str) -> list[str]:
    """The names of outputs, in their own order: canonical where they are known, else as they are.

    Args:
        raw: as the checkpoint has them.
        name: of the checkpoint.
        source: what they are written in, for the sentence: `id2label of its config.json`.

    Raises:
        ModelError: one has no name, two have the same, or there are none to choose from.
    """
    if len(raw) < 2:
        raise ModelError(
            f"{name} has {len(raw)} labels in {source}, and to choose there have to be two; name every output there"
        )
    if any(NO_NAME.fullmatch(label.strip()) for label in raw):
        raise ModelError(
            f"{name} does not say what its outputs mean ({', '.join(map(repr, raw))}); download it, write the names "
            f"into {source}, and give that folder"
        )
    canonical = [canonical_or_same(label.strip()) for label in raw]
    labels = [
        known_label if canonical.count(known_label) == 1 else raw_label.strip()
        for known_label, raw_label in zip(canonical, raw, strict=True)
    ]
    if len(set(labels)) < len(labels):
        raise ModelError(f"{name} gives two outputs the same name ({', '.join(labels)}); mend {source}")
    return labels


def listing(entry: Any) -> Collection[Any]:
    return entry if isinstance(entry, list) else [entry] if entry else []


def setting(settings: Mapping[str, Any], key: str, kind: type, source: str) -> Any:
    """A value of a configuration file; a whole number will do as a `float`.

    Raises:
        ModelError: there is none, or of another type.
    """
    value = settings.get(key)
    if isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise ModelError(f"{source} has no {key}, or not of type {kind.__name__} ({value!r}); fetch the checkpoint again")


def _require_mapping(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no settings by name; fetch the checkpoint again")
    return content


def _yaml_loader_without_code(yaml: Any) -> Any:
    """A loader that takes tags of others (`!new:torch.nn.Linear`, as SpeechBrain has them) as the data behind them."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    def plain(loader: Any, _tag: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("!", plain)
    return Loader
