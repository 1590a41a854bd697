"""The loss over the classes that a corpus has, mixup, the schedule."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.models.contract import Network
from intonate.training.fit_options import Training
from intonate.training.module import Classifier, masked_cross_entropy, mixed, rate_factor, soft_targets


def batch_of(rows: int, classes: int, seed: int):
    torch.manual_seed(seed)
    allowed = torch.rand(rows, classes) < 0.6
    targets = torch.randint(classes, (rows,))
    allowed[torch.arange(rows), targets] = True
    return torch.randn(rows, classes, requires_grad=True), targets, allowed


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(2, 8), st.floats(0, 0.5), st.integers(0, 1000))
def test_logits_of_classes_that_the_corpus_lacks_get_no_gradient(rows, classes, smoothing, seed):
    logits, targets, allowed = batch_of(rows, classes, seed)
    loss = masked_cross_entropy(logits, soft_targets(targets, allowed, smoothing), allowed)
    loss.backward()
    assert torch.isfinite(loss)
    assert (logits.grad[~allowed] == 0).all()
    assert torch.allclose(logits.grad.sum(dim=1), torch.zeros(rows), atol=1e-6)


def test_over_all_classes_it_is_the_usual_cross_entropy():
    logits, targets, _ = batch_of(5, 7, 0)
    everything = torch.ones(5, 7, dtype=torch.bool)
    for smoothing in (0.0, 0.1):
        wanted = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        got = masked_cross_entropy(logits, soft_targets(targets, everything, smoothing), everything)
        torch.testing.assert_close(got, wanted)


def test_a_masked_loss_is_that_of_the_allowed_columns_alone():
    logits = torch.tensor([[2.0, 50.0, -1.0]])
    allowed = torch.tensor([[True, False, True]])
    loss = masked_cross_entropy(logits, soft_targets(torch.tensor([2]), allowed, 0.0), allowed)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits[:, [0, 2]], torch.tensor([1])))


def test_smoothing_stays_within_what_is_allowed():
    _, targets, allowed = batch_of(6, 5, 3)
    soft = soft_targets(targets, allowed, 0.2)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(6))
    assert (soft[~allowed] == 0).all()
    assert (soft.argmax(dim=1) == targets).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_mixup_mixes_what_is_a_number_and_keeps_targets_shares(rows, seed):
    _, targets, allowed = batch_of(rows, 4, seed)
    soft = soft_targets(targets, allowed, 0.1)
    batch = {
        "mel": torch.randn(rows, 7, 3),
        "mel_lengths": torch.randint(1, 8, (rows,)),
        "tokens": torch.randint(9, (rows, 2)),
    }
    before = {name: value.clone() for name, value in batch.items()}
    torch.manual_seed(seed)
    changed, targets_mixed, allowed_mixed = mixed(batch, soft, allowed)
    torch.testing.assert_close(targets_mixed.sum(dim=1), torch.ones(rows))
    assert (targets_mixed[~allowed_mixed].abs() < 1e-6).all()
    assert (allowed_mixed >= allowed).all()
    assert (changed["mel_lengths"] >= batch["mel_lengths"]).all()
    assert changed["tokens"].equal(batch["tokens"])
    torch.testing.assert_close(changed["mel"].mean(), batch["mel"].mean(), msg="every clip is given away once")
    for name, value in before.items():
        assert batch[name].equal(value), "the batch itself is left alone"
    torch.manual_seed(seed)
    assert mixed(batch, soft, allowed)[0]["mel"].equal(changed["mel"])


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_schedule_warms_up_and_falls_to_nothing(schedule):
    factors = np.array([rate_factor(step, 200, 0.1, schedule) for step in range(201)])
    assert factors[0] == pytest.approx(1 / 20)
    assert factors[19] == factors.max() == 1.0
    assert (np.diff(factors[:20]) > 0).all()
    assert (np.diff(factors[20:]) < 0).all()
    assert factors[-1] == pytest.approx(0, abs=1e-9)
    assert factors[110] == pytest.approx(0.5)


def test_a_plain_training_keeps_its_rate_from_the_first_step():
    options = Training(plain=True, learning_rate=0.3)
    found = Classifier(Linear(3, 2), options, 7, np.array(["one"])).configure_optimizers()
    rates = []
    for _ in range(7):
        rates.append(found["optimizer"].param_groups[0]["lr"])
        found["optimizer"].step()
        found["lr_scheduler"]["scheduler"].step()
    assert rates == pytest.approx([0.3] * 7)


class Linear(torch.nn.Linear, Network):
    pass


@pytest.mark.parametrize("name", ["adamw", "adam", "adamax"])
def test_the_optimizer_is_the_one_of_the_recipe(name):
    module = Classifier(Linear(3, 2), Training(optimizer=name), 10, np.array(["one"]))
    found = module.configure_optimizers()["optimizer"]
    assert type(found).__name__.lower() == name
    assert [group["weight_decay"] for group in found.param_groups] == [Training().weight_decay, 0]


def test_an_encoder_learns_at_a_rate_of_its_own():
    class Two(Network):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)
            self.encoder.bias.requires_grad_(False)

        def encoder_parameters(self):
            return (weight for weight in self.encoder.parameters() if weight.requires_grad)

        def forward(self, x):
            return self.head(self.encoder(x))

    network = Two()
    options = Training(learning_rate=1e-3, encoder_learning_rate=1e-5, weight_decay=0.1)
    found = Classifier(network, options, 10, np.array(["one"])).configure_optimizers()["optimizer"]
    rates = {
        id(weight): (group["initial_lr"], group["weight_decay"])
        for group in found.param_groups
        for weight in group["params"]
    }
    assert rates == {
        id(network.head.weight): (1e-3, 0.1),
        id(network.head.bias): (1e-3, 0),
        id(network.encoder.weight): (1e-5, 0.1),
    }


def test_the_rate_is_halved_after_as_many_epochs_as_asked_for():
    options = Training(halve_after=3, learning_rate=0.8)
    found = Classifier(Linear(3, 2), options, 10, np.array(["one"])).configure_optimizers()
    schedule = found["lr_scheduler"]["scheduler"]
    assert found["lr_scheduler"]["monitor"] == "validation/loss"
    rates = []
    for loss in (1.0, 0.9, 0.95, 0.95, 0.91, 0.92, 0.8, 0.85, 0.85, 0.85):
        schedule.step(loss)
        rates.append(found["optimizer"].param_groups[0]["lr"])
    # The best so far comes second; the third epoch after it is the fifth. The next best comes seventh.
    assert rates == [0.8] * 4 + [0.4] * 5 + [0.2]
