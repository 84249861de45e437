"""The `courtside` command. Each verb is a function of the module that does the work."""

from __future__ import annotations

import logging
import sys
from typing import Any

import stamina
import typer
from typer.core import TyperGroup

from deploy import dead_letters, payments
from deploy.demo import demo
from deploy.doctor.commands import doctor
from deploy.local.commands import down, logs, reset, status, up
from deploy.local.errors import PartFailed, Trouble, WrongEnvironment
from deploy.previews import mail
from deploy.seeding import seed
from deploy.tailing import events
from deploy.tokens import token
from deploy.topics.commands import topics


class Verbs(TyperGroup):
    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer narrows click's context
        """A trouble is one sentence on stderr and an exit code, never a traceback, and what is tried again is no trouble yet."""
        stamina.instrumentation.set_on_retry_hooks([])
        try:
            return super().invoke(ctx)
        except PermissionError as error:
            _complain(
                WrongEnvironment(f"no permission for {error.filename}: was it made by another user, root perhaps?")
            )
        except Trouble as trouble:
            _complain(trouble)


def _complain(trouble: Trouble) -> None:
    print(f"courtside: {trouble}", file=sys.stderr)
    if isinstance(trouble, PartFailed) and trouble.log_tail:
        print(trouble.log_tail, file=sys.stderr)
    raise SystemExit(trouble.exit_code)


# A verb says in a sentence what its clients of the broker met; without a handler, Python would print their own words before it.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

app = typer.Typer(
    cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False, help="Court booking, on your machine."
)
for verb in (up, down, reset, logs, status, doctor, demo, token, seed):
    app.command()(verb)
app.add_typer(topics, name="topics")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(payments.app, name="payments")
app.add_typer(events, name="events")
app.add_typer(mail, name="mail")

if __name__ == "__main__":
    app()
