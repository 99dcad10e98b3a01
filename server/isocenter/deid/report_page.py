"""A report as one HTML page that needs nothing else: no script, no fonts, nothing fetched.

It follows the light or dark theme of its reader, prints, and is read by screen readers: tables with captions
and headers, one heading an area, and never colour alone. Not here: what is in it (`report`).
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--back:#f4f5f7;--ink:#1c2128;--soft:#57606a;--line:#d5dae0;
--good:#1a6b35;--goodback:#e6f4ea;--bad:#a3161f;--badback:#fdebec;--warn:#7a4b00;--warnback:#fff4dc;
--link:#0b57b0}
@media(prefers-color-scheme:dark){:root{--paper:#1b1f25;--back:#12151a;--ink:#e4e8ee;--soft:#a2adba;
--line:#363d47;
--good:#7fd69a;--goodback:#16301f;--bad:#ff9a9f;--badback:#3b1a1d;--warn:#f2c063;--warnback:#35290f;
--link:#8fbcff}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:2rem 1.25rem 4rem}h1{font-size:1.6rem;line-height:1.2;margin:0}
h2{font-size:1.1rem;margin:2.25rem 0 .6rem}p{margin:.3rem 0}.soft{color:var(--soft)}
.verdict{border:1px solid;border-radius:8px;padding:.8rem 1rem;margin:1.25rem 0;font-size:1.05rem}
.verdict p{font-size:.95rem}.good{color:var(--good);background:var(--goodback)}
.bad{color:var(--bad);background:var(--badback)}.warn{color:var(--warn);background:var(--warnback)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(7rem,1fr));gap:.75rem;margin:1rem 0;
padding:0}
.cards div{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
.cards dd{margin:0;font-size:1.5rem;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.25}
.cards dt{color:var(--soft);font-size:.85rem}
.box{background:var(--paper);border:1px solid var(--line);border-radius:8px;overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.45rem .8rem;
border-top:1px solid var(--line)}thead th{border-top:0;color:var(--soft);font-weight:500;font-size:.85rem}
caption{text-align:left;padding:.5rem .8rem 0;color:var(--soft);font-size:.85rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tbody th{font-weight:500}
td,th{overflow-wrap:anywhere}td.w{min-width:14rem}code{font:13px/1.5 ui-monospace,"Cascadia Mono",Menlo,
monospace}
.tag{display:inline-block;border:1px solid;border-radius:99px;padding:0 .55rem;font-size:.8rem;
white-space:nowrap}
details{background:var(--paper);border:1px solid var(--line);border-top-width:0}
details:first-of-type{border-top-width:1px;border-radius:8px 8px 0 0}details:last-of-type{
border-radius:0 0 8px 8px}
details:only-of-type{border-radius:8px}
details.in,details.in:first-of-type{border:0;background:none}
.in summary{padding:0;font-size:.85rem}summary{cursor:pointer;padding:.5rem .8rem}
summary .soft{font-size:.85rem;margin-left:.5rem}summary:focus-visible{outline:2px solid var(--link);
outline-offset:-2px}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;padding:.8rem;margin:0}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
@media(max-width:36rem){.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.5rem}}
@media print{body{background:#fff}main{padding:0}details{break-inside:avoid}}
"""


def page(report: dict[str, Any]) -> str:
    """The page of a report, signed or not."""
    title = str(report["title"]) or "De-identification report"
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none';style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
    )
    parts = (
        f"<header><h1>{escape(title)}</h1>",
        f'<p class="soft">{"De-identification report, made" if report["title"] else "Made"} '
        f"{escape(_moment(str(report['made'])))}</p></header>",
        _verdict(report),
        _cards(report["counts"]),
        _section("Findings", _findings(report["findings"])),
        _section("What did not come out", _reasons(report["reasons"])),
        _section("Values that remain", _values(report)),
        _section("What was done", _actions(report["actions"])),
        _section("By what", _facts(report)),
    )
    return head + "".join(parts) + "</main></body></html>\n"


def _moment(iso: str) -> str:
    return f"{iso[:10]} at {iso[11:16]} UTC"


def _verdict(report: dict[str, Any]) -> str:
    residual = sum(one["objects"] for one in report["findings"] if one["kind"] == "residual")
    other = sum(one["objects"] for one in report["findings"] if one["kind"] != "residual")
    uncleared = report["counts"]["uncleared"]
    lock = ""
    if report["unlocked"]:
        lock = "<p>This report is unlocked: it shows doubtful values and is as confidential as the data.</p>"
    if residual:
        words = (
            f"Values of the originals remain ({_count(residual, 'finding')}). Do not pass these results on."
        )
        return f'<div class="verdict bad" role="note"><strong>Not clean.</strong> {words}{lock}</div>'
    unread = report["counts"]["out"] - report["counts"]["verified"]
    if other or uncleared or unread:
        said = [_count(other, "finding") + " for a person to look at"] if other else []
        said += [f"{_count(uncleared, 'object')} with pixels that nobody has cleared"] if uncleared else []
        said += [f"{_count(unread, 'object')} that the second reader did not read"] if unread else []
        return (
            '<div class="verdict warn" role="note"><strong>To be reviewed.</strong> '
            f"No value of the originals was found. There {_is(other or uncleared or unread)} "
            f"{', and '.join(said)}."
            f"{lock}</div>"
        )
    if not report["counts"]["out"]:
        return '<div class="verdict warn" role="note"><strong>Nothing came out.</strong></div>'
    words = "The second reader found no value of the originals and nothing that looks like an identifier."
    return f'<div class="verdict good" role="note"><strong>Nothing found.</strong> {words}{lock}</div>'


def _cards(counts: dict[str, int]) -> str:
    names = {
        "files": "files in", "out": "out", "quarantined": "quarantined", "skipped": "skipped",
        "patients": "patients", "studies": "studies", "series": "series",
    }  # fmt: skip
    cards = "".join(f"<div><dt>{words}</dt><dd>{counts[name]:,}</dd></div>" for name, words in names.items())
    return f'<dl class="cards">{cards}</dl>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _table(caption: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f'<th scope="col"{_right(head)}>{head.removeprefix(">")}</th>' for head in heads)
    return (
        f'<div class="box"><table><caption>{caption}</caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _right(head: str) -> str:
    return ' class="n"' if head.startswith(">") else ""


def _findings(findings: list[dict[str, Any]]) -> str:
    if not findings:
        return '<p class="soft">None.</p>'
    rows = (
        f'<tr><td>{_tag(one["kind"])}</td><th scope="row">{_attribute(one["attribute"])}</th>'
        f'<td class="w">{escape(one["words"])}{_examples(one["examples"])}</td>'
        f'<td class="n">{one["objects"]:,}</td></tr>'
        for one in findings
    )
    return _table(
        "What a person should look at, the certain ones first",
        ("Kind", "Attribute", "Finding", ">Objects"),
        rows,
    )


def _examples(uids: list[str]) -> str:
    """New SOP Instance UIDs of some of the objects."""
    if not uids:
        return ""
    said = "<br>".join(f"<code>{escape(uid)}</code>" for uid in uids)
    return f'<details class="in"><summary class="soft">for example</summary>{said}</details>'


def _tag(kind: str) -> str:
    return f'<span class="tag {"bad" if kind == "residual" else "warn"}">{escape(kind)}</span>'


def _attribute(path: str) -> str:
    return escape(path).replace(".", ".<wbr>") or '<span class="soft">the whole file</span>'


def _reasons(reasons: dict[str, dict[str, int]]) -> str:
    rows = [
        f'<tr><td>{end}</td><td class="w">{escape(reason)}</td><td class="n">{times:,}</td></tr>'
        for end, told in reasons.items()
        for reason, times in told.items()
    ]
    if not rows:
        return '<p class="soft">Everything came out.</p>'
    return _table("Files that were kept back, and why", ("End", "Reason", ">Files"), rows)


def _values(report: dict[str, Any]) -> str:
    values = report["values"]
    if not values:
        return '<p class="soft">No text remains.</p>'
    shown = "" if report["unlocked"] else " Values in which something was found are withheld."
    words = f'<p class="soft">Texts in the results, by attribute, as a curator reads them.{shown}</p>'
    return words + "".join(_value(one) for one in values)


def _value(one: dict[str, Any]) -> str:
    more = "" if one["complete"] else " (a sample of more)"
    withheld = f", {one['withheld']:,} withheld" if one["withheld"] else ""
    summary = (
        f'{_attribute(one["attribute"])}<span class="soft">{_count(one["distinct"], "value")}{more}, '
        f"{_count(one['objects'], 'object')}{withheld}</span>"
    )
    rows = "".join(
        f'<tr><td><code>{escape(text)}</code></td><td class="n">{times:,}</td></tr>'
        for text, times in one["values"]
    )
    head = '<thead><tr><th scope="col">Value</th><th scope="col" class="n">Times</th></tr></thead>'
    body = (
        f"<table>{head}<tbody>{rows}</tbody></table>" if rows else '<p class="soft facts">None is shown.</p>'
    )
    return f"<details><summary>{summary}</summary>{body}</details>"


def _actions(actions: list[dict[str, Any]]) -> str:
    if not actions:
        return '<p class="soft">Nothing was changed.</p>'
    private = [one for one in actions if one["why"] == "private"]
    rows = "".join(
        f'<tr><th scope="row">{_attribute(one["attribute"])}</th><td>{escape(_said(one["action"]))}</td>'
        f'<td>{escape(one["why"])}</td><td class="n">{one["elements"]:,}</td></tr>'
        for one in actions
        if one["why"] != "private" and one["action"] != "items"  # what is inside has lines of its own
    )
    if private:
        elements = sum(one["elements"] for one in private)
        rows += (
            f'<tr><th scope="row">{_count(len(private), "private attribute")}</th><td>remove</td>'
            f'<td>private</td><td class="n">{elements:,}</td></tr>'
        )
    heads = '<th scope="col">Attribute</th><th scope="col">Action</th><th scope="col">Why</th>'
    head = f'<thead><tr>{heads}<th scope="col" class="n">Elements</th></tr></thead>'
    table = f"<table>{head}<tbody>{rows}</tbody></table>"
    return f"<details><summary>{_count(len(actions), 'attribute')} changed</summary>{table}</details>"


def _said(action: str) -> str:
    return {"uid": "new UID", "dummy": "dummy value"}.get(action, action.replace("_", " "))


def _facts(report: dict[str, Any]) -> str:
    settings, signatures = report["settings"], report.get("signatures", {})
    options = ", ".join(settings["options"]) or "none"
    rules = f"{settings['rules']} (digest {settings['rules_digest']})" if settings["rules"] else "none"
    facts = [
        ("Profile", "Basic Application Level Confidentiality Profile (PS3.15 E.2)"),
        ("Options", options),
        ("Rules of the user", rules),
        ("Table E.1-1", f"DICOM {settings['edition']}, SHA-256 {settings['table_digest']}"),
        ("Tool", f"Isocenter {settings['tool']}"),
        ("Key", f"fingerprint {settings['key']}"),
    ]
    if signatures:
        facts.append(("Content", f"SHA-256 {report['digest']}"))
        facts.append(("Signed by the key", f"HMAC-SHA-256 {signatures['hmac-sha256']}"))
    if "ed25519" in signatures:
        facts.append(("Signed by a person", f"Ed25519 {signatures['ed25519']}"))
    if not signatures:
        facts.append(("Signature", "none"))
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<div class="box"><dl class="facts">{rows}</dl></div>'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
