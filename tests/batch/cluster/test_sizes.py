"""How many records a batch has, by the time that they took."""

import threading

from llmcli.batch.cluster.sizes import ChangingSlots, Sizes
from tests.support.waiting import wait_until


def full(*seconds: float) -> int:
    sizes = Sizes(8)
    sizes.learn(seconds)
    return sizes.full


def test_a_batch_is_a_second_of_work_side_by_side() -> None:
    assert Sizes(8).full == 8  # while nothing is known
    assert full(*[0.1] * 16) == 80
    assert full(*[1.0] * 16) == 8
    assert full(*[2.0] * 16) == 4
    assert full(*[60.0] * 16) == 1
    assert full(*[0.00001] * 16) == 600


def test_the_last_records_count_most() -> None:
    sizes = Sizes(8)
    sizes.learn([1.0] * 16)
    sizes.learn([0.1] * 4)
    assert 8 < sizes.full < 80
    sizes.learn([0.1] * 16)
    assert sizes.full == 80


def test_slow_records_keep_all_threads_of_a_worker_at_work() -> None:
    sizes = Sizes(8)
    sizes.learn([60.0] * 16)
    assert sizes.with_worker >= 9


def test_the_rest_is_shared_out() -> None:
    sizes = Sizes(8)
    sizes.learn([0.1] * 16)
    assert sizes.next(1000, 2) == 80
    assert sizes.next(100, 2) == 25
    assert sizes.next(12, 2) == 8  # not ever smaller ones
    assert sizes.next(3, 2) == 3


def test_slots_follow_a_limit_that_changes() -> None:
    limit, taken = [1], []
    slots = ChangingSlots(lambda: limit[0])

    def take() -> None:
        for number in range(5):
            slots.acquire()
            taken.append(number)

    thread = threading.Thread(target=take)
    thread.start()
    wait_until(lambda: len(taken) == 1)
    limit[0] = 3
    slots.release()  # one ends; there is room for three more
    wait_until(lambda: len(taken) == 4)
    slots.release()
    thread.join()
    assert taken == [0, 1, 2, 3, 4]
