"""Masks, means, reversal and pooling over rows: what a clip's padding holds does not matter."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from intonate.models.rows import Head, backwards, halved, mask_of, masked_mean


def test_the_mask_is_one_where_the_clip_is():
    assert mask_of(torch.tensor([2, 0, 3]), 3).tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


@given(st.integers(1, 500), st.integers(1, 4), st.integers(0, 3))
def test_what_a_centred_convolution_leaves(rows, stride, half):
    kernel = 2 * half + 1
    left = torch.nn.functional.conv1d(torch.zeros(1, 1, rows), torch.zeros(1, 1, kernel), stride=stride, padding=half)
    assert halved(torch.tensor([rows]), stride).tolist() == [left.shape[2]]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_backwards_turns_each_clip_and_leaves_its_padding(lengths):
    rows = torch.arange(len(lengths) * 12.0).reshape(len(lengths), 6, 2)
    turned = backwards(rows, torch.tensor(lengths))
    for before, after, length in zip(rows, turned, lengths, strict=True):
        torch.testing.assert_close(after[:length], before[:length].flip(0))
        torch.testing.assert_close(after[length:], before[length:])


def test_the_mean_is_over_the_clip():
    rows = torch.tensor([[[1.0], [3.0], [99.0]], [[5.0], [5.0], [5.0]]])
    mask = mask_of(torch.tensor([2, 0]), 3)
    assert masked_mean(rows, mask).tolist() == [[2.0], [0.0]], "of no rows at all, nothing"


@pytest.mark.parametrize("vector", [0, 3])
def test_the_head_does_not_see_the_padding(vector):
    torch.manual_seed(0)
    head = Head(4, 5, vector, 0.5).eval()
    rows, lengths = torch.randn(2, 7, 5), torch.tensor([3, 7])
    beside = torch.randn(2, vector) if vector else None
    other = torch.where(mask_of(lengths, 7)[:, :, None] > 0, rows, 1e3)
    torch.testing.assert_close(head(rows, lengths, beside), head(other, lengths, beside))
