"""What every stage of a run works with, and how a run tells how far it is."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from customer_genome.contracts import SourceTable
from customer_genome.settings import Settings
from customer_genome.stages.deliveries import Delivery
from customer_genome.warehouse.engine import Engine
from customer_genome.workspace import Workspace

Progress = Callable[[str, float, str], None]
"""Takes the stage, the share of the run that is done, and a message."""
STAGES = ("read", "clean", "facts", "score", "publish")


@dataclass
class Clock:
    """Times the stages and passes progress on, which never goes back: a stage entered again moves no bar."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    furthest: float = 0.0

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[None]:
        """Announce a stage and time it; a stage entered again goes on."""
        self.furthest = max(self.furthest, STAGES.index(name) / len(STAGES))
        self.progress(name, self.furthest, message)
        started = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 3)


@dataclass(frozen=True)
class Job:
    """What every step of one run works with. `notices` collects what the user should be told.

    `delivery` is what was read. With `orders_stand` the warehouse holds the orders already, as after a refresh.
    """

    engine: Engine
    workspace: Workspace
    settings: Settings
    sources: Mapping[str, SourceTable]
    clock: Clock
    notices: list[str] = field(default_factory=list)
    delivery: Delivery = field(default_factory=Delivery)
    orders_stand: bool = False


def silent(stage: str, fraction: float, message: str) -> None:
    """Show no progress."""


def peak_memory_mb() -> float:
    """Return the most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
