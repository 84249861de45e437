"""Writes `contracts/asyncapi.yaml` anew: `python -m deploy.asyncapi`."""

from deploy.asyncapi.document import CONTRACTS, document

if __name__ == "__main__":
    (CONTRACTS / "asyncapi.yaml").write_text(document())
