"""Micro-batches: who shares a call, and who waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from server.batching import Batcher


def in_thread(answer):
    """Returns a coroutine function that answers in a thread."""

    async def answered(asked):
        return await asyncio.to_thread(answer, asked)

    return answered


def ask_all(batches, answer, questions, max_batch=4, delay=0.0):
    """Asks all questions at once, and returns the answers."""

    async def run():
        batcher = Batcher(in_thread(answer), max_batch, delay, batches.append)
        return await asyncio.gather(*(batcher.ask(question) for question in questions), return_exceptions=True)

    return asyncio.run(run())


def test_requests_at_one_moment_share_a_call_of_at_most_max_batch():
    batches = []
    answers = ask_all(batches, lambda asked: [2 * number for number in asked], range(10))
    assert answers == [2 * number for number in range(10)]
    assert batches == [4, 4, 2]


def test_a_request_that_is_alone_does_not_wait():
    batches = []

    async def run():
        # Whoever waited would wait for ever.
        batcher = Batcher(in_thread(lambda asked: asked), 4, 1e9, batches.append)
        return [await batcher.ask(number) for number in range(3)]

    assert asyncio.run(run()) == [0, 1, 2]
    assert batches == [1, 1, 1]


def test_after_a_shared_call_the_next_one_waits_for_as_many():
    batches = []

    async def client(batcher, number):
        return [await batcher.ask(number) for _ in range(5)]

    async def run():
        batcher = Batcher(in_thread(lambda asked: asked), 8, 1e9, batches.append)
        return await asyncio.gather(*(client(batcher, number) for number in range(3)))

    assert asyncio.run(run()) == [[number] * 5 for number in range(3)]
    assert batches == [3, 3, 3, 3, 3]


def test_an_error_in_place_of_an_answer_is_raised_for_its_question_alone():
    error = ValueError("a wrong question")
    answers = ask_all([], lambda asked: [error if number == 1 else number for number in asked], range(3))
    assert answers == [0, error, 2]


def test_a_failed_call_fails_its_own_requests_alone():
    def answer(asked):
        if 1 in asked:
            raise ValueError("no")
        return asked

    batches = []
    first, second, *others = ask_all(batches, answer, range(4), max_batch=2)
    assert isinstance(first, ValueError)
    assert isinstance(second, ValueError)
    assert others == [2, 3]


def test_a_request_that_was_given_up_is_not_asked():
    asked_for = []
    release = threading.Event()

    def answer(asked):
        release.wait(10)
        asked_for.extend(asked)
        return asked

    async def run():
        batcher = Batcher(in_thread(answer), 4, 0.0)
        first = asyncio.ensure_future(batcher.ask(1))
        await asyncio.sleep(0.01)
        second = asyncio.ensure_future(batcher.ask(2))
        await asyncio.sleep(0.01)
        second.cancel()
        release.set()
        return await first

    assert asyncio.run(run()) == 1
    assert asked_for == [1]


@pytest.mark.parametrize("max_batch", [1, 3])
def test_no_call_is_larger_than_max_batch(max_batch):
    batches = []
    ask_all(batches, lambda asked: asked, range(20), max_batch=max_batch, delay=0.001)
    assert max(batches) <= max_batch
    assert sum(batches) == 20
