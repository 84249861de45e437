"""`/docs`: Swagger UI over this process's own `/openapi.json`, from scripts that lie beside this file: nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from services.chassis import problems

ASSETS = Path(__file__).parent / "static" / "swagger-ui"
SERVED = ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # icons in the style sheet
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=request.app.title), headers=HEADERS)


@router.get("/docs/{asset}")
async def docs_asset(asset: str) -> FileResponse:
    if asset not in SERVED:
        raise problems.NotFound("There is no such file.")
    return FileResponse(ASSETS / asset, headers=HEADERS | {"Cache-Control": "public, max-age=3600"})
