"""The services of a platform by class, for routes to look up."""

from typing import Any, TypeVar

from fastapi import Depends, Request

Service = TypeVar("Service")


class Services:
    """Contains one service per class. Whoever composes the platform adds them."""

    def __init__(self, *services: object) -> None:
        self._by_class: dict[type, object] = {}
        self.add(*services)

    def add(self, *services: object) -> None:
        """Raises ValueError if there already is one of its class."""
        for service in services:
            kind = type(service)
            if kind in self._by_class:
                raise ValueError(f"a {kind.__name__} was added before")
            self._by_class[kind] = service

    def get(self, kind: type[Service]) -> Service:
        """Return the service of that class; raises LookupError if none was added."""
        service = self._by_class.get(kind)
        if not isinstance(service, kind):
            raise LookupError(f"no {kind.__name__} was added to the services")
        return service


def services_of(request: Request) -> Services:
    """Return the services of the platform that received the request."""
    services: Services = request.app.state.services
    return services


def provided(kind: type[Service]) -> Any:
    """Use as `service: Annotated[PromptService, provided(PromptService)]` on a route."""

    async def find(request: Request) -> Service:
        return services_of(request).get(kind)

    return Depends(find)
