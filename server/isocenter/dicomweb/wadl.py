"""The service as a tree of resources, and as WADL (PS3.18 8.9 and Annex H), made from its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from isocenter.dicomweb.schemas import wire_name
from isocenter.dicomweb.traits import traits_of
from isocenter.http.route_table import Operation

Json = dict[str, Any]


def tree_of(found: Iterable[Operation], root: str) -> Json:
    """The tree of resources: `{"path", "methods", "resources"}`, each below the one that its path extends."""
    top: Json = {"path": "", "methods": [], "resources": []}
    for one in found:
        here = top
        for segment in one.path.removeprefix(root).strip("/").split("/"):
            here = _child(here, segment) if segment else here
        traits = traits_of(one)
        here["methods"].append(
            {
                "name": one.method,
                "says": one.does or one.says,
                "query": [wire_name(name) for name in traits.query],
                "takes": list(traits.takes),
                "gives": list(traits.gives),
                "status": list(traits.status),
            }
        )
    return top


def _child(of: Json, segment: str) -> Json:
    for below in of["resources"]:
        if below["path"] == segment:
            known: Json = below
            return known
    made: Json = {"path": segment, "methods": [], "resources": []}
    of["resources"].append(made)
    return made


def wadl(tree: Json, base: str) -> str:
    """The tree as a WADL document."""
    out = ['<?xml version="1.0" encoding="UTF-8"?>', '<application xmlns="http://wadl.dev.java.net/2009/02">']
    out.append(f"<resources base={quoteattr(base + '/')}>")
    for below in tree["resources"]:
        _write_resource(below, out)
    out.append("</resources></application>")
    return "\n".join(out)


def _write_resource(resource: Json, out: list[str]) -> None:
    path = resource["path"]
    out.append(f"<resource path={quoteattr(path)}>")
    out += [
        f'<param name={quoteattr(name)} style="template" required="true"/>'
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    for method in resource["methods"]:
        _write_method(method, out)
    for below in resource["resources"]:
        _write_resource(below, out)
    out.append("</resource>")


def _write_method(method: Json, out: list[str]) -> None:
    out.append(f"<method name={quoteattr(method['name'])}><doc>{escape(method['says'])}</doc>")
    out.append("<request>")
    out += [f'<param name={quoteattr(name)} style="query"/>' for name in method["query"]]
    out += [f"<representation mediaType={quoteattr(kind)}/>" for kind in method["takes"]]
    statuses = " ".join(map(str, method["status"]))
    out.append(f'</request><response status="{statuses}">')
    out += [f"<representation mediaType={quoteattr(kind)}/>" for kind in method["gives"]]
    out.append("</response></method>")
