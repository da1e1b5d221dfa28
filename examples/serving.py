"""One thread that owns a model, and the queue before it: requests that arrive together are computed as one batch.

A batch of 16 short texts costs little more than one of them, since the time of a small product goes into calling it and
reading the weights. So the thread takes the oldest request, waits a few milliseconds for others that may share its
batch, and computes them together. What two generated texts must share is how tokens are drawn; each has its own length
and ends on its own. A text that is asked for while a batch is being written waits for the end of that batch.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from minigrad.text import Streamer
from models.generation import Sampling, stream


class Refused(Exception):
    """A request that cannot be answered, with the HTTP status that says so."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, headers


class Job:
    """One request: what was asked, and the parts of the answer as they come, each put there by the model's thread."""

    def __init__(self, asked: dict[str, Any], together: Any = None, size: int = 1):
        self.asked, self.together, self.size = asked, together, size  # size: how many texts it adds to a batch
        self.prompt: list[int] = []  # of a text to be continued, its tokens
        self.done = False  # answered, or nobody waits for the answer any more
        self._loop, self._parts = asyncio.get_running_loop(), asyncio.Queue[Any]()

    def put(self, part: Any, last: bool = False) -> None:
        """Called by the model's thread."""
        if self.done:
            return
        self.done = last
        try:
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            self.done = True

    def refuse(self, error: Exception) -> None:
        self.put(error, last=True)

    async def get(self) -> Any:
        """The next part of the answer; raises what the model's thread refused it with."""
        part = await self._parts.get()
        if isinstance(part, Exception):
            raise part
        return part


class Worker(threading.Thread):
    """Takes jobs and computes them, at most `max_batch` texts at once. Only this thread touches the pipeline."""

    def __init__(self, pipe: Any, max_batch: int, max_wait: float, max_queue: int):
        super().__init__(name="model", daemon=True)
        self.pipe, self.max_batch, self.max_wait, self.max_queue = pipe, max_batch, max_wait, max_queue
        self.compute: Callable[[list[Job]], None] = {
            "classify": self.call_with_texts, "tag": self.call_with_texts, "answer": self.answer, "write": self.write,
            "translate": self.call_with_texts,
        }[pipe.task]  # fmt: skip
        self.waiting: list[Job] = []
        self.jobs = self.batches = 0  # computed since the start
        self.stopping = False
        self._changed = threading.Condition()

    def submit(self, job: Job) -> None:
        """Raises Refused (503) where too many wait already: better said at once than after a minute."""
        with self._changed:
            if len(self.waiting) >= self.max_queue:
                raise Refused(503, f"{len(self.waiting)} requests are waiting already: try again", {"Retry-After": "1"})
            self.waiting.append(job)
            self._changed.notify()

    def stop(self) -> None:
        """End the thread, after the token that is being computed."""
        with self._changed:
            self.stopping = True
            self._changed.notify()
        self.join()

    def run(self) -> None:
        while batch := self.next_batch():
            self.jobs, self.batches = self.jobs + len(batch), self.batches + 1
            self.attempt(batch)
        for job in self.waiting:
            job.refuse(Refused(503, "the server is stopping"))

    def attempt(self, batch: list[Job]) -> None:
        """Compute a batch. Where that fails, one by one, so that what one of them asked spoils no other's answer."""
        try:
            self.compute(batch)
        except Exception as error:
            unanswered = [job for job in batch if not job.done]
            if len(batch) > 1 and self.pipe.task != "write":
                for job in unanswered:
                    self.attempt([job])
                return
            if not isinstance(error, Refused):
                traceback.print_exc(file=sys.stderr)
            for job in unanswered:
                job.refuse(error)

    def next_batch(self) -> list[Job]:
        """The oldest job and what may be computed with it, taken from the queue; empty when the worker is stopped."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self.waiting or self.stopping)
                if self.stopping:
                    return []
                until = time.monotonic() + self.max_wait
                while not self.stopping and (rest := until - time.monotonic()) > 0:
                    if sum(job.size for job in self.waiting) >= self.max_batch:
                        break
                    self._changed.wait(rest)
                batch = self.together()
                self.waiting = [job for job in self.waiting if job not in batch and not job.done]
                if batch:
                    return batch

    def together(self) -> list[Job]:
        batch: list[Job] = []
        for job in self.waiting:
            if job.done or (batch and job.together != batch[0].together):
                continue
            if batch and sum(other.size for other in batch) + job.size > self.max_batch:
                break
            if self.pipe.task == "write":
                if not self.prepare(job):
                    continue
                if batch and not self.fit([*batch, job]):
                    continue
            batch.append(job)
        return batch

    # ---------------------------------------------------------------- what each kind of model does with a batch

    def call_with_texts(self, batch: list[Job]) -> None:
        """Texts of all jobs in one call; each gets its share of the list that comes back."""
        found = self.pipe([text for job in batch for text in job.asked["texts"]], **(batch[0].together or {}))
        for job in batch:
            share, found = found[: job.size], found[job.size :]
            job.put(share, last=True)

    def answer(self, batch: list[Job]) -> None:
        """One by one: contexts differ in length, and a long one is a batch of windows itself."""
        for job in batch:
            try:
                job.put(self.pipe(**job.asked), last=True)
            except ValueError as error:  # a question too long to leave room for a context
                job.refuse(Refused(422, str(error)))

    def prepare(self, job: Job) -> bool:
        """The prompt's tokens and how many may follow; False, the job refused, where they do not fit the model."""
        if job.prompt:
            return True
        try:
            job.prompt = self.pipe.prompt(job.asked["text"])
        except ValueError as error:  # an empty prompt, where no token begins a text
            job.refuse(Refused(422, str(error)))
            return False
        longest, count = self.pipe.max_length, job.asked["max_new_tokens"]
        room = len(job.prompt) if longest is None else longest - len(job.prompt)
        if longest is not None and (room < 1 or (count or 1) > room):
            wanted = "" if count is None else f" and {count} new ones"
            job.refuse(
                Refused(
                    422, f"the prompt has {len(job.prompt)} tokens; these{wanted} do not fit the model's context of "
                    f"{longest}: shorten the prompt or ask for fewer"
                )
            )  # fmt: skip
            return False
        job.asked["max_new_tokens"] = count or (50 if longest is None else min(50, room))
        return True

    def fit(self, batch: list[Job]) -> bool:
        """Whether the context holds them side by side: the longest prompt, and behind it the longest continuation."""
        widest = max(len(job.prompt) for job in batch) + max(job.asked["max_new_tokens"] for job in batch)
        return self.pipe.max_length is None or widest <= self.pipe.max_length

    def write(self, batch: list[Job]) -> None:
        """Continue the prompts, padded on the left to one length. Each gets its text piece by piece, then
        {"done", "tokens", "finish"}: whether a stop token ended it ("stop") or its number of tokens ("length").
        """
        pipe, settings = self.pipe, self.pipe.settings({})
        stops = settings["stop_tokens"]
        tokens, mask = pipe.side_by_side([job.prompt for job in batch])
        new = stream(
            pipe.model, tokens, max(job.asked["max_new_tokens"] for job in batch), mask=mask,
            sampling=Sampling(**batch[0].together, suppress_tokens=settings["suppress_tokens"]), stop_tokens=stops,
            pad_token=settings["pad_token"],
        )  # fmt: skip
        streamers = [Streamer(pipe.tokenizer, prompt=job.prompt) for job in batch]
        for count, column in enumerate(new, 1):
            for job, streamer, token in zip(batch, streamers, column.tolist(), strict=True):
                if job.done:
                    continue
                stopped = token in stops
                piece = "" if stopped else streamer.put(token)
                ended = stopped or count == job.asked["max_new_tokens"]
                if ended:
                    piece += streamer.end()
                if piece:
                    job.put({"text": piece})
                if ended:
                    job.put({"done": True, "tokens": count, "finish": "stop" if stopped else "length"}, last=True)
            if all(job.done for job in batch):
                break
            if self.stopping:
                raise Refused(503, "the server is stopping")
