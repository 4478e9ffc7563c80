"""Ends of tasks."""

import asyncio


async def end_all(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels tasks and waits until they are gone; their group hears of what went wrong in them."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def only_error(group: ExceptionGroup[Exception]) -> Exception:
    """What went wrong, where it was one thing; else all of it."""
    first = group.exceptions[0]
    if len(group.exceptions) > 1:
        return group
    return only_error(first) if isinstance(first, ExceptionGroup) else first
