"""``transform`` hooks that are coroutines: each is asked about what the one before it left."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from .._hookmq import Asking, Client, Message, TransformReply
from .transforms import outcome

__all__ = ["transform"]

PAUSED = 0x83

Denial = Callable[[str, BaseException], "tuple[int, str] | None"]
"""Reads what a hook raised: a reason code and words, or ``None`` after it reported a failure."""


async def transform(
    questions: list[tuple[Message, list[Asking]]], client: Client, reply: TransformReply, denial: Denial
) -> None:
    """Ask about each message in turn, and give all answers at once."""
    answers = []
    for message, hooks in questions:
        answers.append(await _about(message, hooks, client, denial))
        reply.advance()  # the time is for each message
    reply(answers)


async def _about(message: Message, hooks: list[Asking], client: Client, denial: Denial) -> Any:
    """Return what becomes of a message, as a reply takes it."""
    messages, kept = [message], True
    for hook in hooks:
        made: list[Message] = []
        for one in messages:
            if hook.paused:
                return PAUSED, "the hook that decides about publishes is paused"
            failed = False
            try:
                returned = hook.begin(one, client)
                if inspect.isawaitable(returned):
                    returned = await returned
                made += outcome(one, returned)
                kept = kept and returned is None
            except asyncio.CancelledError as error:
                failed = True
                denial(hook.name, TimeoutError("it took longer than hooks.decision_timeout"))
                raise error
            except BaseException as error:
                refusal = denial(hook.name, error)
                failed = refusal is None
                return False if refusal is None else refusal
            finally:
                hook.end(failed)
        messages = made
    return None if kept else messages
