"""What only `make test-containers` runs: it needs an engine, and says so rather than being skipped."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.containers.composed import Compose


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
async def images(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Compose]:
    compose = Compose(tmp_path_factory.mktemp("images"))
    try:
        await compose("build")
        yield compose
    finally:
        await compose.forget_images()
