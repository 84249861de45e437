"""`/problems/{code}`: what a problem document's `type` points at. Read from the classes, so a page cannot be forgotten or go stale."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.chassis import problems
from services.chassis.problems import Problem

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }}
code {{ background: #eee; padding: 0 .3em }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

router = APIRouter(prefix="/problems", include_in_schema=False)


@router.get("")
async def list_problems() -> HTMLResponse:
    found = sorted(problems.registry().values(), key=lambda kind: (kind.status, kind.code))
    return _page("Problems of this API", f"<ul>\n{''.join(map(_line, found))}</ul>")


@router.get("/{code}")
async def show_problem(code: str) -> HTMLResponse:
    kind = problems.registry().get(code)
    if kind is None:
        raise problems.NotFound("There is no problem of this code.")
    facts = f"<p>HTTP status {kind.status}, <code>{kind.code}</code></p>"
    return _page(kind.title, f'{facts}\n<p>{escape(kind.meaning())}</p>\n<p><a href="../problems">All problems</a></p>')


def _line(kind: type[Problem]) -> str:
    link = f'<a href="problems/{kind.code}"><code>{kind.code}</code></a>'
    return f"<li>{kind.status} {link}: {escape(kind.meaning())}</li>\n"


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=escape(title), body=body), headers=HEADERS)
