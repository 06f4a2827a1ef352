"""The stores as a stage hands them to its workers."""

from __future__ import annotations

from ingest.store import EmbeddedStores, Stores, open_stores


class Source:
    """The stores of the session, opened anew for each worker."""

    def __init__(self, embedded: EmbeddedStores) -> None:
        self._urls = embedded.urls()

    def open(self) -> Stores:
        return open_stores(self._urls)
