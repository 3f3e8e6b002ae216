# SPDX-License-Identifier: Apache-2.0
"""What a person does about a hazard; none of it claims more than the hazard itself says."""

from __future__ import annotations

from ngtpatch.flow.verdicts import HazardFound

__all__ = ["remedy"]

_REMEDIES = {
    "python-gate": "Read the line. No patch removes such a gate: use a release of the distribution"
    " with another Python, or another NGT release.",
    "python2-syntax": "Start it with a Python 2, where the guest has one; or use another NGT"
    " release.",
    "version-floor": "Read the line. No patch changes the demand: use a release that meets it, or"
    " another NGT release.",
    "linux-distribution": "Use a release with an older Python, or another NGT release.",
    "distutils": "Install the guest's setuptools first, if it has the distutils shim; or use"
    " another NGT release.",
    "shebang": "Start it as the argument of the guest's own Python, as 'ngtpatch render"
    " guest-install.sh' does.",
    "dracut": "After the installation, look into the initial RAM disk (lsinitrd) before the guest"
    " is started again.",
    "chkconfig": "After the installation, look whether the service runs (systemctl), also after a"
    " restart.",
    "compiled": "What it does is not known here. Compare the disc with the vendor's.",
    "compiled-only": "What it does is not known here. Compare the disc with the vendor's.",
    "label": "Take the disc as the cluster mounts it, whose label is NUTANIX_TOOLS.",
    "no-config": "Take the ISO that the cluster mounts, or give it a VM's configuration"
    " ('ngtpatch inject').",
}
_OTHERWISE = "Take the vendor's ISO, and rebuild from that."


def remedy(hazard: HazardFound) -> str:
    """Return what to do about *hazard*."""
    if hazard.mended_by is not None:
        return "Rebuild with the distribution named (-d): its patch mends this."
    return _REMEDIES.get(hazard.code, _OTHERWISE)
