"""`text_cnn`: which emotion words carry, small enough to ship: a convolutional network over pieces of words.

Kim (2014), Convolutional Neural Networks for Sentence Classification, with embeddings learnt from nothing, kernels of
one, three and five pieces, and beside the maximum over the sentence a mean and deviation weighted by attention. The
tokenizer (byte-pair encoding, lower case) is learnt from the training texts and goes into the model file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.errors import RecipeError, require
from intonate.models.contract import Network
from intonate.models.rows import Head, mask_of

# Every text begins with START, so that none is empty. Names are masked in GoEmotions as the last two are.
PADDING, UNKNOWN, START = "[PAD]", "[UNK]", "[START]"
SPECIAL = (PADDING, UNKNOWN, START, "[NAME]", "[RELIGION]")
# Longer texts are cut off: 99 % of the comments of GoEmotions have under 40 tokens.
LONGEST_TOKENS = 64
# Letters, digits, punctuation and emoji that are met at least this often stay; rarer ones are unknown.
ALPHABET = 400
# No piece is longer, so that none quotes anyone.
LONGEST_PIECE = 16
KERNELS = (1, 3, 5)


class TextCNN(Network):
    """Tokens in, logits out.

    Args:
        classes: number of outputs.
        columns: not used.
        vocabulary: pieces of words that are told apart.
        embedding: numbers that stand for a piece.
        width: channels of each kernel.
        dropout: of embeddings, and before the output.
        unknown: share of the tokens that training hides, as if it did not know them.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        vocabulary: int = 8000,
        embedding: int = 96,
        width: int = 128,
        dropout: float = 0.4,
        unknown: float = 0.1,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding, width, kernel, padding=kernel // 2) for kernel in KERNELS
        )
        self.dropout, self.unknown = nn.Dropout(dropout), unknown
        channels = len(KERNELS) * width
        self.head = Head(classes, channels, channels, dropout)

    def forward(self, tokens: Tensor, tokens_lengths: Tensor) -> Tensor:
        """(batch, tokens), (batch,) -> (batch, classes)."""
        mask = mask_of(tokens_lengths, tokens.shape[1])[:, :, None]
        if self.training:
            hidden = torch.rand(tokens.shape, device=tokens.device) < self.unknown
            tokens = tokens.masked_fill(hidden, SPECIAL.index(UNKNOWN))
        # Zeros beyond the end, as the convolutions have before the beginning: padding changes nothing.
        x = (self.dropout(self.embedding(tokens)) * mask).transpose(1, 2)
        rows = torch.cat([F.gelu(convolution(x)) for convolution in self.convolutions], dim=1).transpose(1, 2)
        largest = rows.masked_fill(mask == 0, -1e4).amax(dim=1)
        logits: Tensor = self.head(rows, tokens_lengths, largest)
        return logits

    @staticmethod
    def tokenizer(texts: Sequence[str], vocabulary: int = 8000, **_: Any) -> Any:
        """A `tokenizers.Tokenizer` learnt from the training texts; the other parameters of the model are ignored.

        Raises:
            RecipeError: there is no text to learn from.
        """
        if not any(texts):
            raise RecipeError("text_cnn learns what was said, and no training row has a text; fill the text column")
        tokenizers = require("tokenizers", "text")
        normalizers = tokenizers.normalizers
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=UNKNOWN))
        tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.NFKC(),
                normalizers.Replace("’", "'"),
                normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
                normalizers.Lowercase(),
                # soooooo, !!!!!! and 😂😂😂😂 become soo, !! and 😂😂.
                normalizers.Replace(tokenizers.Regex(r"(.)(?=\1\1)"), ""),
            ]
        )
        splits = tokenizers.pre_tokenizers
        tokenizer.pre_tokenizer = splits.Sequence([splits.Metaspace(), splits.Punctuation()])
        # Without prefixes for inner pieces, which the library numbers in another order each time.
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL),
            limit_alphabet=ALPHABET,
            max_token_length=LONGEST_PIECE,
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{START} $A", special_tokens=[(START, SPECIAL.index(START))]
        )
        tokenizer.enable_truncation(LONGEST_TOKENS)
        return tokenizer
