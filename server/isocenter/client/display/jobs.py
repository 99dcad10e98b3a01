"""What jobs look like in a notebook: one with its bar, and a table of many."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from isocenter.client.display.html import Preview, bytes_text, facts_html, table_html

_COLUMNS = ("job", "dataset", "state", "progress", "phase", "created", "took", "by")


def job_html(told: Mapping[str, Any], error: str = "") -> str:
    """What it does and how far it is, with a bar while it runs; what it made or why it failed."""
    facts: dict[str, object] = {"state": state_text(told)}
    if told["Phase"] and told["State"] == "Running":
        facts["now"] = told["Phase"]
    if told["EffectiveRuntime"]:
        facts["took" if told["State"] in ("Success", "Failure") else "for"] = _seconds(told)
    if told["State"] == "Success":
        facts |= _result(told)
    if told["Error"]:
        facts["error"] = error_text(told["Error"])
    if error:
        facts["error"] = error
    title = f"Job {told['Type']}" + (f" of {told['Dataset']}" if told["Dataset"] else "")
    return facts_html(title, facts) + (_bar(told, title) if told["State"] == "Running" else "")


def _bar(told: Mapping[str, Any], title: str) -> str:
    """How far it is; nothing where that is not known."""
    if not told["Total"]:
        return ""
    percent = int(told["Progress"])
    return (
        f'<div class="isocenter"><div role="progressbar" aria-label="{escape(title)}"'
        f' aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" style="width:24em;'
        "max-width:100%;height:8px;margin:6px 0;border-radius:4px;overflow:hidden;"
        'background:var(--isocenter-head)"><div style="height:100%;background:'
        f'var(--jp-brand-color1,#2f80ed);width:{percent}%"></div></div></div>'
    )


def error_text(error: Mapping[str, Any]) -> str:
    """What went wrong, and what to do about it."""
    return f"{error['message']} ({error['hint']})" if error["hint"] else str(error["message"])


def jobs_html(told: Sequence[Mapping[str, Any]], error: str = "") -> str:
    """A table, the newest first."""
    rows = [
        {
            "job": f"{one['Type']} {one['ID'][:8]}",
            "dataset": one["Dataset"] or "all",
            "state": _stands(one),
            "progress": f"{one['Progress']} %" if one["State"] == "Running" and one["Total"] else "",
            "phase": one["Phase"] if one["State"] == "Running" else "",
            "created": time_text(one["CreationTime"]),
            "took": _seconds(one) if one["EffectiveRuntime"] else "",
            "by": one["Creator"],
        }
        for one in told
    ]
    title = f"{len(rows)} job{'' if len(rows) == 1 else 's'}"
    return table_html(Preview(title, _COLUMNS if rows else (), rows[:50], len(rows), error=error))


def _stands(told: Mapping[str, Any]) -> str:
    """Where it stands; the progress has a column of its own."""
    state = state_text(told)
    if state == "failed":
        return f"failed: {told['Error']['message']}"
    return "running" if state.startswith("running") else state


def state_text(told: Mapping[str, Any]) -> str:
    """Where it stands, in a few words."""
    state = str(told["State"])
    if told["Error"]:
        return "cancelled" if told["Error"]["code"] == "cancelled" else "failed"
    if told["Cancelling"]:
        return "is being cancelled"
    if state == "Running" and told["Total"]:
        return f"running, {told['Progress']} %"
    return {"Pending": "waits", "Success": "done"}.get(state, state.lower())


def time_text(text: str) -> str:
    """A time of the server, for people."""
    when = datetime.datetime.strptime(text, "%Y%m%dT%H%M%S.%f")
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def _seconds(told: Mapping[str, Any]) -> str:
    seconds = float(told["EffectiveRuntime"])
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _result(told: Mapping[str, Any]) -> dict[str, object]:
    """The facts of a result that are short, and the file."""
    facts = result_facts(told["Result"])
    if told["Output"]:
        facts["file"] = f"{told['Output']['Name']}, {bytes_text(told['Output']['Size'])}: job.download(path)"
    return facts


def result_facts(result: Any) -> dict[str, object]:
    """What a job found or did by name, each in one line."""
    facts: dict[str, object] = {}
    for name, value in result.items() if isinstance(result, dict) else ():
        if name == "size" and isinstance(value, int):
            facts[name] = bytes_text(value)
        elif isinstance(value, bool):
            facts[name] = "yes" if value else "no"
        elif isinstance(value, (str, int, float)):
            facts[name] = f"{value:,}" if isinstance(value, int) else value
        elif value:
            text = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else None
            facts[name] = (text or json.dumps(value, ensure_ascii=False))[:200]
    return facts
