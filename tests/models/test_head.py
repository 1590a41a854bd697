"""`head`: which of an encoder's layers it reads."""

import pytest
import torch

from intonate.errors import RecipeError
from intonate.models.head import Head

STATISTICS, LAYERS, WIDTH = 2, 3, 4


def voice(layer_values):
    """One clip in whose every statistic layer k is full of the k-th value: as `pooled` of `encoded` lays it out."""
    one_statistic = torch.cat([torch.full((WIDTH,), float(value)) for value in layer_values])
    return one_statistic.repeat(STATISTICS)[None]


def head(use):
    torch.manual_seed(0)
    return Head(5, {"voice": STATISTICS * LAYERS * WIDTH}, layers=0, of=LAYERS, use=use).eval()


def test_the_last_layer_alone_is_read():
    network = head("last")
    torch.testing.assert_close(network(voice([1, 2, 3])), network(voice([7, -8, 3])))
    assert not torch.allclose(network(voice([1, 2, 3])), network(voice([1, 2, 4])))


def test_a_mean_of_the_layers_is_learnt():
    network = head("weighted")
    torch.testing.assert_close(network(voice([1, 2, 3])), network(voice([2, 2, 2])))
    network(voice([1, 2, 3])).sum().backward()
    assert network.weights.grad.abs().sum() > 0
    with torch.no_grad():
        network.weights.copy_(torch.tensor([-50.0, 50.0, -50.0]))
    torch.testing.assert_close(network(voice([9, 2, 9])), network(voice([2, 2, 2])))


def test_all_columns_are_read_where_nothing_is_said():
    network = Head(5, {"voice": 7}, layers=0).eval()
    assert network(torch.zeros(3, 7)).shape == (3, 5)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"use": "first"}, "use is all, last, weighted; got 'first'"),
        ({"use": "last", "of": 5}, "24 columns are not 2 statistics of 5 layers"),
        ({"use": "weighted", "of": 0}, "24 columns are not 2 statistics of 0 layers"),
    ],
)
def test_what_cannot_be_read_is_refused(params, sentence):
    with pytest.raises(RecipeError, match=sentence):
        Head(5, {"voice": 24}, **params)


def test_several_answer_together_with_the_sum_of_their_logits():
    torch.manual_seed(0)
    members = [Head(3, {"voice": 6}, units=4).eval() for _ in range(3)]
    rows = torch.randn(5, 6)
    expected = sum(member(rows) for member in members)
    one = Head.together(members).eval()
    torch.testing.assert_close(one(rows), expected)
    with pytest.raises(RecipeError, match="do so each in another way"):
        Head.together([head("weighted")] * 2)
