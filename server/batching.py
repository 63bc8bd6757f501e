"""Micro-batches: requests that arrive while the model computes share its next call."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class Batcher(Generic[Asked, Answered]):
    """Collects questions of one event loop and has them answered in batches, one at a time.

    A question that is alone is asked at once. After a call with several questions, the next one waits up to
    `max_delay_seconds` for as many as it had: its clients are about to ask again.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], Awaitable[Sequence[Answered | Exception]]],
        max_batch: int,
        max_delay_seconds: float,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        """Takes the function that answers.

        Args:
          answer: Returns per question an answer, or the exception that its asker gets.
          max_batch: Questions per call.
          max_delay_seconds: Longest wait for further questions.
          observe: Called with the size of each batch.
        """
        self._answer = answer
        self._max_batch = max_batch
        self._max_delay = max_delay_seconds
        self._observe = observe
        self._waiting: collections.deque[tuple[Asked, asyncio.Future[Answered]]] = collections.deque()
        self._last_size = 1
        self._is_full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Asked) -> Answered:
        """Returns the answer to a question.

        Raises:
          Exception: What `answer` raises for the batch, or returns for the question.
        """
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if len(self._waiting) >= self._last_size:
            self._is_full.set()
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._wait()
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]
                # Who asked may have gone meanwhile.
                batch = [(question, future) for question, future in batch if not future.done()]
                if batch:
                    await self._call(batch)
        finally:
            self._task = None

    async def _wait(self) -> None:
        wanted = min(self._last_size, self._max_batch)
        if self._max_delay <= 0 or len(self._waiting) >= wanted:
            return
        self._is_full.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is_full.wait(), self._max_delay)

    async def _call(self, batch: list[tuple[Asked, asyncio.Future[Answered]]]) -> None:
        self._last_size = len(batch)
        self._observe(len(batch))
        try:
            answers = await self._answer([question for question, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), found in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)
