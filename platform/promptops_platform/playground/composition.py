"""Builds the playground."""

from promptops_platform.access.composition import Access
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.execution.places import Places
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.playground.asking import Asker
from promptops_platform.playground.service import PlaygroundService
from promptops_platform.providers.composition import Providers
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.serving.composition import Serving


class Playground:
    """`places` limits the number of concurrent calls."""

    def __init__(
        self,
        database: Database,
        access: Access,
        providers: Providers,
        serving: Serving,
        runlog: RunLogRoom,
        clock: Clock,
        *,
        places: Places,
        stop: StopSignal,
    ) -> None:
        self.asker = Asker(
            gateway=providers.gateway, calls=runlog.calls, places=places, clock=clock, stop=stop
        )
        self.service = PlaygroundService(
            database=database,
            grants=access.grants,
            prompts=serving.resolver,
            connections=providers.lookup,
            asker=self.asker,
            stop=stop,
        )
        self.services = (self.service,)
