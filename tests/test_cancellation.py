"""Work that is called off ends between two pieces, and nobody else's does."""

import threading

import numpy as np
import pytest

from intonate.audio import decode
from intonate.cancellation import WorkCancelled, cancellable, check


def test_only_work_that_was_called_off_ends():
    check()
    event = threading.Event()
    with cancellable(event):
        check()
        event.set()
        with pytest.raises(WorkCancelled):
            check()
        other = threading.Thread(target=check)
        other.start()
        other.join()
    check()


def test_work_that_is_called_off_before_it_begins_does_not_begin():
    event = threading.Event()
    event.set()
    with pytest.raises(WorkCancelled), cancellable(event):
        pytest.fail("it began")


def test_decoding_and_answering_end(tiny_model):
    from intonate import load_model

    recognizer, event, sound = load_model(tiny_model), threading.Event(), (np.zeros(16_000, np.float32), 16_000)
    with cancellable(event):
        event.set()
        with pytest.raises(WorkCancelled):
            decode.load(sound)
        with pytest.raises(WorkCancelled):
            list(recognizer.predict_many([sound]))  # no failure of one recording, after which the others go on
