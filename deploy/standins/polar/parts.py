"""How an endpoint gets at the stand-in: `async def get_order(standin: Standin, ...)`."""

from typing import Annotated

from fastapi import Depends, Request

from deploy.standins.polar import state


def _of_the_application(request: Request) -> state.Standin:
    standin: state.Standin = request.app.state.standin
    return standin


Standin = Annotated[state.Standin, Depends(_of_the_application)]
