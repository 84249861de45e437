"""One stand-in of each provider for all tests of a module, empty again before each of them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import resend

from tests.contract import running_polar, running_resend
from tests.contract.running_polar import RunningPolar
from tests.contract.running_resend import RunningResend
from tests.contract.webhook_receiver import Receiver, listening


@pytest.fixture(scope="module")
async def shared_polar(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[RunningPolar, Receiver]]:
    async with (
        listening(Receiver()) as receiver,
        running_polar.running(tmp_path_factory.mktemp("polar"), receiver.url, webhook_time_scale=0.001) as polar,
    ):
        yield polar, receiver


@pytest.fixture
async def standin(shared_polar: tuple[RunningPolar, Receiver]) -> RunningPolar:
    await shared_polar[0].admin("reset")
    return shared_polar[0]


@pytest.fixture
def receiver(standin: RunningPolar, shared_polar: tuple[RunningPolar, Receiver]) -> Iterator[Receiver]:
    shared_polar[1].received.clear()
    yield shared_polar[1]
    shared_polar[1].answer = lambda _: 202


@pytest.fixture(scope="module")
async def shared_resend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[RunningResend, Receiver]]:
    async with (
        listening(Receiver()) as mail_receiver,
        running_resend.running(
            tmp_path_factory.mktemp("resend"), mail_receiver.url, webhook_time_scale=0.001
        ) as outbox,
    ):
        yield outbox, mail_receiver


@pytest.fixture
async def outbox(shared_resend: tuple[RunningResend, Receiver], monkeypatch: pytest.MonkeyPatch) -> RunningResend:
    await shared_resend[0].admin("reset")
    monkeypatch.setattr(resend, "api_key", running_resend.KEY)
    monkeypatch.setattr(resend, "api_url", shared_resend[0].url)
    return shared_resend[0]


@pytest.fixture
def mail_receiver(outbox: RunningResend, shared_resend: tuple[RunningResend, Receiver]) -> Iterator[Receiver]:
    shared_resend[1].received.clear()
    yield shared_resend[1]
    shared_resend[1].answer = lambda _: 202
