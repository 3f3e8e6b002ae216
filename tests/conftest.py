# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.iso.cases import CASES
from tests.iso.images import Zoo


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("zoo"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if CASES:
        terminalreporter.section("image matrix")
        for subject, count in sorted(CASES.items()):
            terminalreporter.line(f"{count:6} {subject}")
