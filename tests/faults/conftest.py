from __future__ import annotations

from tests.integration.chassis.conftest import bench as bench  # noqa: PLC0414 - a fixture for the tests of this folder
