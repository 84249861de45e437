"""How a process is told things: by environment variables, or a file for each in a folder of secrets; and what production refuses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

SECRETS_DIR = "COURTSIDE_SECRETS_DIR"
"""Names a folder of files that are called like variables, in place of `/run/secrets`."""
USUAL_SECRETS_DIR = Path("/run/secrets")
"""Where Docker puts them."""
FIELD = re.compile(r'for field "(\w+)"')
"""In what pydantic-settings says of a list that is no JSON."""


EXAMPLE = re.compile(r"[.@]example\b(?![.-])|[.@/]example\.(com|net|org)\b", re.IGNORECASE)
"""Domains that nobody can have (RFC 2606), so that a document's address is nobody's."""


class EnvironmentSettings(BaseSettings):
    """A variable goes before the file of the same name. Descriptions are read by `deploy/configuration.py`."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True, hide_input_in_errors=True)

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        """Each field that a real club must set otherwise, and what it must be."""
        yield from ()

    def still_examples(self) -> Iterator[str]:
        """Each field with an address that was copied from a document: mails to it reach nobody, and its keys are nobody's."""
        for field in type(self).model_fields:
            value = getattr(self, field)
            if EXAMPLE.search(str(value.get_secret_value() if isinstance(value, SecretStr) else value)):
                yield field

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, _secrets_dirs())


class WronglyTold(Exception):
    """A sentence for each variable that is wrong or missing, never with what was given: that may be a secret."""


Told = TypeVar("Told", bound=EnvironmentSettings)


def read(settings: type[Told]) -> Told:
    """From the environment of this process. Raises `WronglyTold`."""
    try:
        return settings()
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise WronglyTold("; ".join(_sentence(settings, each) for each in found)) from None
    except SettingsError as error:
        field = FIELD.search(str(error))
        raise WronglyTold(f"{variable(settings, field[1])}: is no JSON" if field else str(error)) from None


def variable(settings: type[BaseSettings], field: str) -> str:
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()


def _sentence(settings: type[BaseSettings], error: Mapping[str, Any]) -> str:
    message = error["msg"].removeprefix("Value error, ")
    where = "_".join(map(str, error["loc"]))
    return f"{variable(settings, where)}: {message}" if where else message


def _secrets_dirs() -> list[Path]:
    if named := os.environ.get(SECRETS_DIR):
        if not Path(named).is_dir():
            raise SettingsError(f"{SECRETS_DIR}: there is no folder {named}")
        return [Path(named)]
    return [USUAL_SECRETS_DIR] if USUAL_SECRETS_DIR.is_dir() else []
