"""The ``deeplimit`` command."""

from service.cli.app import app

__all__ = ["app"]
