"""Pages for people: one HTML file each, without scripts and without a network, out of ``sinks/templates``."""

from __future__ import annotations

import jinja2


def rendered(template: str, **shown: object) -> str:
    """The page of a template; what is shown is escaped, and a name that the template misses is an error."""
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("sinks", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(template).render(**shown)
