from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from deploy.standins.process import StandinSettings


class Settings(StandinSettings):
    """Environment variables `RESEND_STANDIN_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="RESEND_STANDIN_")

    port: int = 8012
    state: str = ".courtside/standins/resend.sqlite"

    api_key: Annotated[str, StringConstraints(pattern="^re_.+")] = "re_local"
    """What notifications must send as its key."""
    rate_per_s: Annotated[int, Field(ge=0)] = 5
    """Requests of the team, as Resend's default; 0 is no limit."""
    latency_s: Annotated[float, Field(ge=0)] = 0.0
    """How long a send is under way."""
    domains: str = ""
    """The verified ones, by spaces; when empty every domain may send."""

    @property
    def verified_domains(self) -> list[str]:
        return self.domains.casefold().split()
