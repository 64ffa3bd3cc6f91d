"""/docs: the API for people, written from its OpenAPI description. Nothing of it is fetched."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

Schema = dict[str, Any]

_FIELD = re.compile(r"{(\w+)}")  # of a path

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; text-transform: capitalize; }
article { border-top: 1px solid var(--line); padding: .5rem 0 1.5rem; }
h3 { font: 600 1rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
  border-bottom: 1px solid var(--line); }
nav { columns: 22rem; } nav a { display: block; overflow-wrap: anywhere; }
"""


def router() -> APIRouter:
    """GET /docs."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.app.openapi(), str(request.base_url).rstrip("/")))

    return routes


def page(api: Schema, url: str) -> str:
    """The description as a page; `url` is where its examples ask."""
    info, schemas = api["info"], api.get("components", {}).get("schemas", {})
    by_tag: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag.setdefault(tag, []).append((method.upper(), path, operation))
    index = "".join(
        f'<a href="#{_anchor(method, path)}"><code>{method} {escape(path)}</code></a>'
        for operations in by_tag.values()
        for method, path, _ in operations
    )
    sections = "".join(
        f"<section><h2>{escape(tag)}</h2>"
        + "".join(_operation(*one, schemas, url) for one in operations)
        + "</section>"
        for tag, operations in by_tag.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('summary', ''))} For programs: "
        '<a href="/openapi.json">/openapi.json</a>. Every error is '
        '<code>{"error": {"code", "message"}}</code>. A server with a token takes it as '
        "<code>Authorization: Bearer TOKEN</code>.</p>"
        f"<nav>{index}</nav>{sections}</body></html>"
    )


def _operation(method: str, path: str, operation: Schema, schemas: Schema, url: str) -> str:
    parts = [
        f'<article id="{_anchor(method, path)}"><h3>{method} {escape(path)}</h3>',
        f"<p><strong>{escape(operation.get('summary', ''))}</strong></p>",
    ]
    if description := operation.get("description"):
        parts.append(f"<p>{_prose(description)}</p>")
    rows = [
        (one["name"], one["in"], one["schema"], one.get("required", False), one)
        for one in operation.get("parameters", [])
    ]
    content: dict[str, Schema] = operation.get("requestBody", {}).get("content", {})
    kind = next(iter(content), "")
    schema = _resolved(content[kind]["schema"], schemas) if kind else {}
    if description := schema.get("description"):
        parts.append(f"<p>{_prose(description)}</p>")
    needed = schema.get("required", [])
    rows += [
        (name, "form" if "form" in kind else "body", field, name in needed, field)
        for name, field in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append("<table><tr><th>Name<th>In<th>What it is<th></tr>")
        parts += [
            f"<tr><td><code>{escape(name)}</code>{'' if must else ' (optional)'}<td>{place}"
            f"<td>{escape(_type(field, schemas))}<td>{_prose(about.get('description', ''))}</tr>"
            for name, place, field, must, about in rows
        ]
        parts.append("</table>")
    example = next(iter(schema.get("examples", [])), None)
    parts.append(f"<pre>{escape(_curl(method, path, kind, example, url))}</pre>")
    good = [code for code in operation.get("responses", {}) if code.startswith("2")]
    parts.append(f"<p>Answers with {escape(' or '.join(good))}.</p></article>")
    return "".join(parts)


def _curl(method: str, path: str, kind: str, example: Any, url: str) -> str:
    line = f"curl -X {method} {url}{_FIELD.sub(lambda name: name[1].upper(), path)}"
    if example is not None:
        return f"{line} \\\n  --json '{json.dumps(example, indent=2, ensure_ascii=False)}'"
    if "form" in kind:
        return f"{line} -F file=@recording.mp4"
    return f"{line} -H 'Content-Type: {kind}' --data-binary @-" if kind else line


def _type(schema: Schema, schemas: Schema) -> str:
    """A schema in a few words, its bounds included."""
    schema = _resolved(schema, schemas)
    if "anyOf" in schema:
        named = [_type(one, schemas) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(named)
    if "const" in schema or "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), schemas)}"
    if schema.get("type") == "object" and "properties" in schema:
        needed = schema.get("required", [])
        inside = (name if name in needed else f"{name}?" for name in schema["properties"])
        return "{" + ", ".join(inside) + "}"
    words = "file" if "contentMediaType" in schema else str(schema.get("type", "anything"))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words += f" from {low:g} to {high:.10g}"
    if most := schema.get("maxLength"):
        words += f", at most {most} characters"
    return words


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema


def _prose(text: str) -> str:
    """Text whose `words` in backticks are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(method: str, path: str) -> str:
    return re.sub(r"\W+", "-", f"{method} {path}".lower()).strip("-")
