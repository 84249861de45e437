"""The key pair that signs local bearer tokens, and the secrets shared by a service and its stand-in: made once, at random."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
from dataclasses import asdict
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from deploy.local.environment import Secrets


def ensure_keys(folder: Path) -> Secrets:
    """Makes what is missing below `folder`: `signing-key.pem` and `secrets.json` (0600), `jwks.json` (public)."""
    folder.mkdir(parents=True, exist_ok=True)
    signing_key = folder / "signing-key.pem"
    if not signing_key.exists():
        _write(signing_key, _pem(Ed25519PrivateKey.generate()), mode=0o600)
    private = serialization.load_pem_private_key(signing_key.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError(f"{signing_key} holds no Ed25519 key")
    _write(folder / "jwks.json", json.dumps({"keys": [public_jwk(private.public_key())]}).encode(), mode=0o644)
    stored = folder / "secrets.json"
    known = json.loads(stored.read_bytes()) if stored.exists() else {}
    told = asdict(_random_secrets()) | known
    if told != known:  # none yet, or those of an older version, which knew fewer
        _write(stored, json.dumps(told, indent=2).encode(), mode=0o600)
    return Secrets(**told)


def public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """RFC 8037; the `kid` is the key's RFC 7638 thumbprint, so a new key never goes under an old name."""
    x = _base64url(key.public_bytes_raw())
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    kid = _base64url(hashlib.sha256(members.encode()).digest())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"}


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _random_secrets() -> Secrets:
    return Secrets(
        postgres_password=secrets.token_urlsafe(24),
        polar_access_token=f"polar_oat_{secrets.token_urlsafe(32)}",
        polar_webhook_secret=f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
        resend_api_key=f"re_{secrets.token_urlsafe(24)}",
        resend_webhook_secret=f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(content)
    unfinished.replace(path)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


if __name__ == "__main__":
    ensure_keys(Path(sys.argv[1]))
