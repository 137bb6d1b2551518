"""A service as a part of a broker: it begins and ends with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .expiry import Expiries
from .service import AuthenticationService

__all__ = ["ServicePart"]


class ServicePart:
    """What ``broker.authenticate_with`` makes of a service, see :mod:`hookmq.parts`."""

    def __init__(self, service: AuthenticationService) -> None:
        self.service = service

    @property
    def name(self) -> str:
        """The service's."""
        return self.service.name

    def register(self, broker: Any) -> None:
        """Add its hook, behind the hooks and services that are there."""
        self.service.attach(broker)
        if self.service.leases:
            Expiries.watch(broker)
        broker.authenticate(self.service, name=self.name)

    def start(self, broker: Any, data_dir: Path | None) -> None:
        """Begin."""
        self.service.start(broker)

    def stop(self, grace: float) -> None:
        """End."""
        self.service.stop()

    def check(self) -> None:
        """Its options were checked when it was made."""

    def pair(self, before: Any) -> None:
        """Nothing of the other is needed."""

    def info(self) -> None:
        """It is no connector."""

    def take_over(self, before: Any, broker: Any, data_dir: Path | None, grace: float) -> None:
        """Begin in the place of another; answers that it has remembered are forgotten."""
        self.start(broker, data_dir)
        before.stop(grace)
