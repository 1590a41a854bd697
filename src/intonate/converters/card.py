"""The card of a converted model: whose it is, what its outputs mean, and what is not known of it."""

from __future__ import annotations

from intonate.converters.checkpoint import Description


def card(name: str, description: Description) -> str:
    """Markdown.

    Args:
        name: of the checkpoint, as the user called it.
        description: of the model file.
    """
    spec = description.spec
    renamings = "; ".join(f"{output_name} is `{label}`" for output_name, label in description.outputs.items())
    longest = f"A recording up to {spec.pool.longest_s:g} s is answered whole, as its own code would answer it; a "
    abstains = "it is unsure where no label reaches one half" if spec.multi_label else "it never abstains"
    scale = (
        "0 and 1 are the ends of the scale of the ratings that its numbers were learnt from; those of MSP-Podcast, "
        "which most published models learnt from, go from 1 to 7."
    )
    return "\n\n".join(
        [
            f"# {spec.name}",
            f"A checkpoint of others, {name}, converted by intonate {spec.intonate_version} "
            f"({description.architecture}; SHA-256 of its files begins with {spec.recipe_hash}). "
            "The answers are the checkpoint's own; the conversion was checked against it at three lengths.",
            f"Its outputs: {renamings}.",
            f"{longest}longer one in windows of {spec.pool.window_s:g} s.",
            *([description.remark] if description.remark else []),
            *([scale] if spec.dimensions else []),
            "## Licence of the weights",
            spec.licence,
            "## Scores",
            f"None are known here. Its probabilities are not calibrated, {abstains}, and which speakers it was trained "
            "on is not recorded: test it with `intonate evaluate` on a corpus that it cannot have seen.",
        ]
    ) + "\n"  # fmt: skip
