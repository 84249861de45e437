"""`python -m deploy.topics apply`: what `courtside topics apply` does, for an image that has none of the command line's libraries."""

from __future__ import annotations

import asyncio
import sys

from deploy.broker import BrokerSettings
from deploy.local.errors import Trouble
from deploy.topics.provisioning import provision


def main(arguments: list[str]) -> int:
    if arguments != ["apply"]:
        print("usage: python -m deploy.topics apply", file=sys.stderr)
        return 2
    try:
        made = asyncio.run(provision(BrokerSettings.read()))
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return trouble.exit_code
    print(f"topics: {len({change.topic for change in made})} made or changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
