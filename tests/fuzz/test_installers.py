# SPDX-License-Identifier: Apache-2.0
"""Some hundreds of the fuzzer's installers, in every run of the tests."""

from hypothesis import HealthCheck, given, settings

from tests.fuzz.fuzz_installers import check
from tests.fuzz.variants import Variant, variants


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(variants())
def test_an_installer_is_patched_rightly_or_refused(variant: Variant) -> None:
    check(variant)
