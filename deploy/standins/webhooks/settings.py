import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator


def _decodable(secret: str) -> str:
    encoded = secret.removeprefix("whsec_")
    try:
        known = secret != encoded and bool(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except binascii.Error:
        known = False
    if not known:
        raise ValueError("must be whsec_ and base64")
    return secret


WebhookSecret = Annotated[str, AfterValidator(_decodable)]
