"""`/_admin/faults` of both stand-ins: tell, list, take back."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from deploy.standins.faults import Faults


def router(faults: Faults[Any], path: str = "/faults", cleared: Callable[[], None] = lambda: None) -> APIRouter:
    """`cleared` is called when some are taken back."""
    routes = APIRouter(prefix=f"/_admin{path}")

    @routes.post("", status_code=201)
    async def tell(body: dict[str, Any]) -> Response:
        try:
            return JSONResponse({"id": faults.add(body)}, 201)
        except ValidationError as invalid:
            return JSONResponse({"detail": invalid.errors(include_url=False, include_context=False)}, 422)

    @routes.get("")
    async def read() -> dict[str, Any]:
        return {"faults": faults.listed()}

    @routes.delete("")
    async def take_all_back() -> dict[str, Any]:
        taken_back = faults.clear()
        cleared()
        return {"cleared": taken_back}

    @routes.delete("/{fault_id}")
    async def take_back(fault_id: int) -> dict[str, Any]:
        if not faults.clear(fault_id):
            raise HTTPException(404)
        cleared()
        return {"cleared": 1}

    return routes
