import numpy as np

from intonate.recognizer.probabilities import softmax


def test_rows_sum_to_one_and_keep_their_order():
    logits = np.random.default_rng(0).normal(size=(5, 7)) * 10
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(probabilities, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(np.argsort(probabilities, axis=1), np.argsort(logits, axis=1))


def test_neither_large_logits_nor_a_masked_class_nor_no_rows_are_a_problem():
    np.testing.assert_allclose(softmax(np.array([1e4, 1e4, -1e4])), [0.5, 0.5, 0])
    np.testing.assert_allclose(softmax(np.array([[0.0, -np.inf]])), [[1, 0]])
    assert softmax(np.zeros((0, 3))).shape == (0, 3)
    assert softmax(np.zeros((2, 3), np.float32)).dtype == np.float64
