# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from tests.iso.cases import CASES
from tests.iso.images import Zoo
from tests.told import TOLD, untold


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("zoo"))


def pytest_addoption(parser: pytest.Parser) -> None:
    help_ = "fail where no command printed an error code of docs/errors.md: for all tests together"
    parser.addoption("--every-code", action="store_true", help=help_)


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Tests run in parallel count in processes of their own, and hand the counts over.
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["cases"], output["told"] = dict(CASES), sorted(TOLD)
    elif session.config.getoption("every_code") and untold() and not _lacking(session.config):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    CASES.update(output.get("cases", {}))
    TOLD.update(output.get("told", ()))


def _lacking(config: pytest.Config) -> bool:
    """Tell whether tests were skipped for what this machine lacks: they would tell codes, too."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return any(" is not here: " in str(one.longrepr) for one in reporter.stats.get("skipped", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if CASES:
        terminalreporter.section("image matrix")
        for subject, count in sorted(CASES.items()):
            terminalreporter.line(f"{count:6} {subject}")
    config = terminalreporter.config
    if config.getoption("every_code") and (left := untold()):
        title = "codes of docs/errors.md that no command printed"
        terminalreporter.section(title + (" (tests were skipped)" if _lacking(config) else ""))
        for code in sorted(left):
            terminalreporter.line(f"  {code}")
