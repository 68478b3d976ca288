"""Who watches the calls of models: a tracer, a counter, or nobody.

What is told here is for observation alone: an observer raises nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Target
from promptops_providers.protocol import Completion, CompletionRequest


class Call(Protocol):
    """One call of one target. It ends with exactly one of the last three."""

    def first_piece(self) -> None:
        """A stream has given its first piece."""

    def answered(self, completion: Completion) -> None: ...

    def failed(self, error: ProviderError) -> None: ...

    def abandoned(self) -> None:
        """Nobody waits for the answer any more."""


class CallObserver(Protocol):
    """`request.model` is the one that the target is asked for, empty for its default."""

    def begin(self, request: CompletionRequest, target: Target, *, streams: bool) -> Call: ...

    def fell_back(self, target: Target, error: ProviderError) -> None:
        """The chain goes on to its next target because of this error."""


class Unobserved:
    """Nobody watches; a call and the observer of it in one."""

    def begin(self, request: CompletionRequest, target: Target, *, streams: bool) -> Call:
        return self

    def fell_back(self, target: Target, error: ProviderError) -> None:
        return

    def first_piece(self) -> None:
        return

    def answered(self, completion: Completion) -> None:
        return

    def failed(self, error: ProviderError) -> None:
        return

    def abandoned(self) -> None:
        return


UNOBSERVED = Unobserved()


class Observers:
    """Several observers as one."""

    def __init__(self, *observers: CallObserver) -> None:
        self._observers = observers

    def begin(self, request: CompletionRequest, target: Target, *, streams: bool) -> Call:
        return _Calls(
            [observer.begin(request, target, streams=streams) for observer in self._observers]
        )

    def fell_back(self, target: Target, error: ProviderError) -> None:
        for observer in self._observers:
            observer.fell_back(target, error)


class _Calls:
    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = calls

    def first_piece(self) -> None:
        for call in self._calls:
            call.first_piece()

    def answered(self, completion: Completion) -> None:
        for call in self._calls:
            call.answered(completion)

    def failed(self, error: ProviderError) -> None:
        for call in self._calls:
            call.failed(error)

    def abandoned(self) -> None:
        for call in self._calls:
            call.abandoned()


@contextmanager
def observed(
    observer: CallObserver, request: CompletionRequest, target: Target, *, streams: bool
) -> Iterator[Call]:
    """A call to tell of its answer; how it ends otherwise is told here."""
    call = observer.begin(request, target, streams=streams)
    try:
        yield call
    except ProviderError as error:
        call.failed(error)
        raise
    except BaseException:
        call.abandoned()
        raise
