"""`ArchiveWidget`: what every widget of ours is made of.

A widget has one Python class, one ES module beside it and perhaps a style sheet of the same name::

    class TagBrowser(ArchiveWidget, module="tags"):     # tags.js, tags.css
        ...

Its module asks through `connect(model)` of `static/connection.js`, and looks right by the classes of
`static/theme.css`, which is always in front of its own style sheet. Not here: what a widget shows.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import anywidget
import traitlets

from isocenter.client.archive import Archive
from isocenter.client.options import options
from isocenter.errors import IsocenterError
from isocenter_jupyter.widgets.answering import LARGEST, Answer, Answering
from isocenter_jupyter.widgets.assembly import assemble, style

STATIC = Path(__file__).parent / "static"


class Fallback(NamedTuple):
    """What is shown where no widget can be: in a terminal, on GitHub, in a page made by nbconvert."""

    text: str
    html: str


class ArchiveWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget that shows something of an archive.

    Args:
        archive: where its requests go; its dataset is the only one that it reads. None: it asks no server.
        direct: use HTTP to the server through Jupyter where that is there, beside the kernel.
        traits: values of the widget's traits.
    """

    largest_answer: ClassVar[int] = LARGEST

    _dataset = traitlets.Unicode("main").tag(sync=True)
    _show_identifiers = traitlets.Bool(False).tag(sync=True)
    _direct = traitlets.Bool(True).tag(sync=True)
    _identity = traitlets.Unicode("", help="of the server; a kernel that is busy cannot be asked").tag(
        sync=True
    )

    def __init_subclass__(cls, module: str | None = None, **kwargs: Any) -> None:
        if module is not None:
            folder = Path(sys.modules[cls.__module__].__file__ or __file__).parent
            cls._esm = assemble(folder / f"{module}.js")
            cls._css = style(STATIC / "theme.css", folder / f"{module}.css")
        super().__init_subclass__(**kwargs)

    def __init__(self, archive: Archive | None, *, direct: bool = True, **traits: Any) -> None:
        self.archive = archive
        super().__init__(
            _dataset="main" if archive is None else archive.dataset_name,
            _show_identifiers=options.show_identifiers,
            _direct=direct and archive is not None,
            _identity=_identity_of(archive) if direct and archive is not None else "",
            **traits,
        )
        self._answering = Answering(archive, self.send, self.answers(), self.largest_answer)
        self.on_msg(self._receive)

    def answers(self) -> dict[str, Answer]:
        """What the browser side may ask by name (`connection.ask(name, content)`): functions of JSON to JSON.

        They run in threads, and may raise `IsocenterError`, whose message the widget shows.
        """
        return {}

    def fallback(self) -> Fallback:
        """What to show where no widget can be; may ask the server, and shows no identifiers."""
        name = type(self).__name__
        return Fallback(f"<{name}>", f"<p>{escape(name)}: open the notebook in Jupyter to use it.</p>")

    def close(self) -> None:
        """Remove the widget; what it still asks is given up."""
        answering = getattr(self, "_answering", None)
        if answering is not None:
            answering.close()
        super().close()

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        self._answering.take(content)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        try:
            text, html = self.fallback()
        except IsocenterError as error:
            text, html = f"<{type(self).__name__}: {error}>", f"<p>{escape(str(error))}</p>"
        return {**data, "text/plain": text, "text/html": html}, metadata


def _identity_of(archive: Archive) -> str:
    try:
        return str(archive.system().get("ServerIdentity") or "")
    except IsocenterError:
        return ""  # the browser side asks again, and shows what goes wrong
