"""Commands that are imported when they are asked for, so that none waits for what the others import.

app = lazy_app("nozzlewatch.surface", ("train", "evaluate"), told="…")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


def lazy_app(package: str, names: Iterable[str], *, told: str) -> typer.Typer:
    """An app of nothing but ``places_in`` a package; ``told`` is its help."""
    app = typer.Typer(cls=lazy_group(places_in(package, names)), no_args_is_help=True, help=told)

    @app.callback()
    def _top() -> None:
        """Without it typer takes an app with no command of its own for an empty one."""

    return app


def places_in(package: str, names: Iterable[str]) -> dict[str, str]:
    """Of commands that are the functions of their name in a module of that name."""
    return {name: f"{package}.{name}:{name}" for name in names}


def lazy_group(places: Mapping[str, str]) -> type[TyperGroup]:
    """A group with further commands, after its app's own: each name, and where its function or its app is.

    A place is "module:name". It is imported when the command is called, or when help lists it.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            for name in places:
                self.add_command(TyperCommand(name))  # stands in for it: in lists, and where a typo is told

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # typer's copy of click is private
            if cmd_name in places:
                return _loaded(cmd_name, places[cmd_name])
            return super().get_command(ctx, cmd_name)

    return LazyGroup


def _loaded(name: str, place: str) -> Any:
    """The command, as if it had been added to its app from the start."""
    found, app = resolve_name(place), typer.Typer()
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name)(found)
    return get_group(app).commands[name]
