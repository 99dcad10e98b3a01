"""What a de-identification looks like in a notebook: a plan, a run, its report, keys. No identifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isocenter.client.display.cohorts import counted
from isocenter.client.display.html import Preview, facts_html, table_html
from isocenter.client.display.jobs import error_text, state_text, time_text

if TYPE_CHECKING:
    from isocenter.client.deid import Plan

COUNTED = ("in", "out", "quarantined", "skipped", "rejected")
_FINDINGS = 12
_HINT = "pip install isocenter-jupyter to see values and images, and to decide"


def source_text(source: Any) -> str:
    """What is de-identified, in a few words."""
    if isinstance(source, str):
        return source
    name = getattr(source, "id", None) if type(source).__name__ == "Cohort" else None
    if name:
        return f"cohort {name}"
    if hasattr(source, "transport"):
        return repr(source).strip("<>")
    return counted(len(source), "item") if hasattr(source, "__len__") else type(source).__name__


def plan_html(plan: Plan) -> str:
    """How what is de-identified, and what the preview said."""
    recipe = plan.recipe
    facts: dict[str, object] = {
        "of": source_text(plan.source),
        "profile": ", ".join([recipe["profile"], *recipe["options"]]),
        "key": recipe["key"],
    }
    for name, value in recipe.items():
        if name not in ("profile", "options", "key"):
            facts[name.replace("_", " ")] = _said(value)
    facts["results"] = f"go into the dataset {plan.into}" if plan.into else "are downloaded"
    if plan.needs_review:
        facts["review"] = "results are held until somebody accepts them"
    if plan.previewed is None:
        facts["preview"] = "not yet: plan.preview()"
    else:
        facts["preview"] = _counts(plan.previewed.told.get("Counts") or {}) + ": plan.review()"
    if plan.latest is not None:
        facts["run"] = repr(plan.latest).strip("<>")
    return facts_html("Plan to de-identify", facts)


def run_html(job: Mapping[str, Any], told: Mapping[str, Any], error: str = "") -> str:
    """How far it is, what came out, and what is to be done next."""
    preview = bool(job["Content"].get("preview"))
    facts: dict[str, object] = {"state": state_text(job)}
    if told.get("Cohort"):
        facts["of"] = f"cohort {told['Cohort']}"
    if told.get("Counts") and job["State"] == "Success":
        facts["instances"] = _counts(told["Counts"])
    review = str(told.get("Review") or "none")
    if review == "pending":
        facts["review"] = "pending: run.review() shows it, run.accept() lets the results go"
    elif review != "none":
        who = f" by {told['Reviewer']}" if told.get("Reviewer") else ""
        facts["review"] = f"{review}{who}"
    if job["State"] == "Success" and not preview and review in ("none", "accepted"):
        into = told.get("Into")
        facts["results"] = f"are in the dataset {into}" if into else 'run.download("folder")'
    if job["Error"]:
        facts["error"] = error_text(job["Error"])
    if error:
        facts["error"] = error
    title = "Preview of a de-identification" if preview else "De-identification"
    return facts_html(f"{title} {str(job['ID'])[:8]}", facts)


def review_html(report: Mapping[str, Any]) -> str:
    """Attributes and what is done with them; no values."""
    rows = [
        {
            "tag": one.get("tag", ""),
            "attribute": one.get("name", ""),
            "action": one.get("action", ""),
            "different values": one.get("distinct") or len(one.get("before") or ()),
            "look at it": "yes" if one.get("flag") else "",
        }
        for one in sorted(report.get("attributes", []), key=lambda one: not one.get("flag"))
    ]
    columns = tuple(rows[0]) if rows else ()
    title = str(report.get("title") or "Review of a de-identification")
    return table_html(Preview(title, columns, rows[:50], len(rows), question=_HINT))


def summary_html(report: Mapping[str, Any]) -> str:
    """Counts, findings and what was kept back."""
    counts = report["counts"]
    names = ("files", "out", "quarantined", "skipped", "patients", "studies", "series")
    facts: dict[str, object] = {name: f"{counts[name]:,}" for name in names if name in counts}
    for end, reasons in report["reasons"].items():
        if reasons:
            why = "; ".join(f"{reason} ({times:,})" for reason, times in reasons.items())
            facts[f"why {end}"] = why
    findings = [
        f"{one['kind']}{one['attribute'] and ' in '}{one['attribute']}: {one['words']} ({one['objects']:,})"
        for one in report["findings"][:_FINDINGS]
    ]
    more = len(report["findings"]) - len(findings)
    if findings:
        facts["found"] = "; ".join(findings) + (f"; and {more:,} more" if more > 0 else "")
    settings = report["settings"]
    facts["profile"] = ", ".join(["basic", *settings["options"]])
    facts["key"] = settings["key"]
    return facts_html(str(report["title"]) or "De-identification", facts)


def keys_html(keys: Sequence[Mapping[str, Any]]) -> str:
    """Names and fingerprints."""
    columns = ("name", "fingerprint") if keys else ()
    return table_html(Preview(counted(len(keys), "key"), columns, list(keys), len(keys)))


def runs_html(jobs: Sequence[Mapping[str, Any]]) -> str:
    """A table, the newest first."""
    rows = [
        {
            "id": str(job["ID"])[:8],
            "what": "preview" if job["Content"].get("preview") else "run",
            "dataset": job["Dataset"] or "main",
            "state": state_text(job),
            "created": time_text(job["CreationTime"]),
            "by": job["Creator"],
        }
        for job in jobs
    ]
    columns = tuple(rows[0]) if rows else ()
    return table_html(Preview(counted(len(rows), "de-identification"), columns, rows[:50], len(rows)))


def _counts(counts: Mapping[str, Any]) -> str:
    """`120 in = 118 out + 2 quarantined + 0 skipped`."""
    parts = " + ".join(f"{counts.get(name) or 0:,} {name}" for name in ("out", "quarantined", "skipped"))
    rejected = f"; {counts['rejected']:,} of them rejected" if counts.get("rejected") else ""
    return f"{counts.get('in') or 0:,} in = {parts}{rejected}"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        rules = value.get("rule")
        return counted(len(rules), "rule") if isinstance(rules, list) else ", ".join(map(str, value))
    return str(value)
