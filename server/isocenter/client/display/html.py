"""HTML of tables: escaped, masked, in the colours of the Jupyter theme, without script.

Where Jupyter's (or VS Code's) colours are not there, those of the reader's own light or dark preference are
used. Not here: what a value looks like (`cells`).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from isocenter.client.display.cells import Preview, broken, bytes_text, cell_text
from isocenter.client.display.masking import MASK

__all__ = ["Preview", "bytes_text", "cell_text", "facts_html", "table_html"]

_THEME = {
    "text": ("--jp-ui-font-color1", "--vscode-editor-foreground", "#1f2328", "#e6e6e6"),
    "quiet": ("--jp-ui-font-color2", "--vscode-descriptionForeground", "#59636e", "#a8a8a8"),
    "line": ("--jp-border-color2", "--vscode-panel-border", "#d0d7de", "#4a4a4a"),
    "rule": ("--jp-border-color3", "--vscode-panel-border", "#e7eaed", "#383838"),
    "head": ("--jp-layout-color2", "--vscode-editorWidget-background", "#f3f4f6", "#2a2a2a"),
    "bar": ("--isocenter-own-bar", "--isocenter-own-bar", "#2f80ed38", "#5aa2ff45"),
    "error": ("--jp-error-color1", "--vscode-errorForeground", "#b00020", "#ff8080"),
}


def _colours(which: int) -> str:
    return "".join(
        f"--isocenter-{name}:var({told[0]},var({told[1]},{told[which]}));" for name, told in _THEME.items()
    )


STYLE = f"""<style>
.isocenter{{{_colours(2)}color:var(--isocenter-text);font-family:var(--jp-ui-font-family,system-ui,sans-serif);
font-size:var(--jp-ui-font-size1,13px);line-height:1.5;overflow-x:auto}}
@media (prefers-color-scheme:dark){{.isocenter{{{_colours(3)}}}}}
.isocenter div.quiet{{color:var(--isocenter-quiet);margin:4px 0}}
.isocenter div.error{{color:var(--isocenter-error)}}
.isocenter table.table{{border-collapse:collapse;border:1px solid var(--isocenter-line);margin:2px 0;
font-size:inherit;width:auto;table-layout:auto;color:inherit}}
.isocenter table.table caption{{caption-side:top;text-align:left;padding:2px 0 6px;color:inherit;
font-size:inherit;font-weight:600;white-space:nowrap}}
.isocenter table.table caption span{{color:var(--isocenter-quiet);font-weight:400}}
.isocenter table.table th,.isocenter table.table td{{padding:3px 10px;text-align:left;max-width:22em;
overflow:hidden;text-overflow:ellipsis;white-space:nowrap;border:0;
border-bottom:1px solid var(--isocenter-rule);vertical-align:baseline}}
.isocenter table.table tbody tr:last-child>*{{border-bottom:0}}
.isocenter table.table tr{{background:none}}
.isocenter table.table th{{background:var(--isocenter-head);color:inherit;font-weight:600}}
.isocenter table.table thead th{{border-bottom:1px solid var(--isocenter-line);white-space:normal;
width:1px;vertical-align:bottom;line-height:1.25}}
.isocenter table.table .bar{{min-width:9em;
background:linear-gradient(90deg,var(--isocenter-bar) var(--share),transparent 0)}}
.isocenter table.table tbody th{{border-right:1px solid var(--isocenter-rule)}}
.isocenter table.table .number{{text-align:right;font-variant-numeric:tabular-nums}}
.isocenter table.table .masked{{color:var(--isocenter-quiet);letter-spacing:1px}}
.isocenter table.table td:empty::after{{content:"\\00a0"}}
.isocenter table.facts th{{width:1px}}
.isocenter table.facts td{{white-space:normal;overflow-wrap:anywhere;max-width:60em}}
</style>"""
_TITLED = 24


def table_html(preview: Preview) -> str:
    """The HTML of a preview."""
    if preview.error:
        return _whole(
            f'<div class="error" role="alert">{escape(preview.error)}</div>',
            f'<div class="quiet">{escape(preview.title)}</div>',
        )
    if not (preview.columns and preview.rows):
        asked = f'<div class="quiet">{escape(preview.question)}</div>' if preview.question else ""
        return _whole(f"<div><b>{escape(preview.title)}</b>{_beside(preview.summary)}</div>", asked)
    return _whole(_table(preview), *(f'<div class="quiet">{escape(note)}</div>' for note in preview.notes))


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """A title and a small table of names and values."""
    rows = "".join(f'<tr><th scope="row">{escape(n)}</th>{_cell(str(v), "")}</tr>' for n, v in facts.items())
    if not facts:
        return _whole(f"<div><b>{escape(title)}</b></div>")
    caption = f"<caption>{escape(title)}</caption>"
    return _whole(f'<table class="table facts">{caption}<tbody>{rows}</tbody></table>')


def _whole(*parts: str) -> str:
    return f'{STYLE}<div class="isocenter">{"".join(parts)}</div>'


def _beside(text: str) -> str:
    return f"<span> · {escape(text)}</span>" if text else ""


def _table(preview: Preview) -> str:
    kinds = ["number" if name in preview.numeric else "" for name in preview.columns]
    names = "".join(
        f'<th scope="col"{_class(kind)}>{"<wbr>".join(map(escape, broken(name)))}</th>'
        for name, kind in zip(preview.columns, kinds, strict=True)
    )
    shares = preview.shares() or [0.0] * len(preview.rows)
    rows = "".join(
        "<tr>"
        + "".join(
            _bar(text, share) if name == preview.bars else _cell(text, kind)
            for name, text, kind in zip(preview.columns, texts, kinds, strict=True)
        )
        + "</tr>"
        for texts, share in zip(preview.texts(), shares, strict=True)
    )
    caption = f"<caption>{escape(preview.title)}{_beside(preview.summary)}</caption>"
    return f'<table class="table">{caption}<thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>'


def _bar(text: str, share: float) -> str:
    return f'<td class="number bar" style="--share:{share:.1%}">{escape(text)}</td>'


def _cell(text: str, kind: str) -> str:
    if text == MASK:
        return f'<td class="masked {kind}" aria-label="masked">{text}</td>'
    title = f' title="{escape(text)}"' if len(text) > _TITLED else ""
    return f"<td{_class(kind)}{title}>{escape(text)}</td>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
