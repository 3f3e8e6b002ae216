# SPDX-License-Identifier: Apache-2.0
"""What an auditor gets beside an ISO: checksums, an in-toto statement, a CycloneDX document.

Needs ``ngtpatch[provenance]``. Offline throughout; with SOURCE_DATE_EPOCH the same ISO
yields the same documents.
"""

from ngtpatch.flow.materials import Material
from ngtpatch.provenance.checking import (
    ProvenanceVerification,
    Verified,
    verify_provenance,
)
from ngtpatch.provenance.documents import (
    Provenance,
    require_places,
    require_provenance,
    write_provenance,
)
from ngtpatch.provenance.product import Product

__all__ = [
    "Material",
    "Product",
    "Provenance",
    "ProvenanceVerification",
    "Verified",
    "require_places",
    "require_provenance",
    "verify_provenance",
    "write_provenance",
]
