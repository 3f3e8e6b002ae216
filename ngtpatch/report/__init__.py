# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page about an image or a fleet, for who approves and who repairs."""

from ngtpatch.report.image_page import Asked
from ngtpatch.report.reported_page import ReportResult, report

__all__ = ["Asked", "ReportResult", "report"]
