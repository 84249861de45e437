"""What this repository itself publishes as a key or a secret: whoever reads it can sign with it, so production takes none."""

from __future__ import annotations

from pydantic import SecretStr

PUBLISHED = frozenset(
    {
        "polar_oat_local",
        "re_local",
        "whsec_bG9jYWwtd2ViaG9vay1zZWNyZXQtbG9jYWw=",
        "whsec_bG9jYWwtcmVzZW5kLXNlY3JldC1sb2NhbC1sb2M=",
        "whsec_Y291cnRzaWRlLWxvY2FsLXdlYmhvb2stc2VjcmV0",
        "whsec_Y291cnRzaWRlLWxvY2FsLXJlc2VuZC1zZWNyZXQ=",
        "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==",
        "a laptop's key, which everybody knows",
        "the-key-of-a-cluster-on-a-laptop-only",
        "5b0c1f52-6a51-4c0e-9d3c-3f8f0f6f1c11",
        "00000000-0000-4000-8000-000000000000",
    }
)
"""Of Compose, the overlay for a laptop, the stand-ins and the defaults. A test compares this list with those files."""


def is_published(secret: SecretStr | str) -> bool:
    return (secret if isinstance(secret, str) else secret.get_secret_value()) in PUBLISHED
