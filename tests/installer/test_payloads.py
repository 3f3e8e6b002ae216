# SPDX-License-Identifier: Apache-2.0
"""Archives are looked into as streams, and no archive can make that expensive."""

import gzip
import io
import tarfile

import pytest

from ngtpatch.files.tree import MemoryTree
from ngtpatch.installer.payloads import SearchEnded, scripts
from ngtpatch.installer.recognition import find_sites
from tests.installer.texts import FACTORY

AGENT = "installer/linux/src/ngt_guest_agent.tar.gz"


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_a_chain_inside_an_archive_is_found_when_asked_for() -> None:
    data = archive({"agent/pick.py": FACTORY.encode(), "agent/data.bin": b"centos"})
    for tree in ({AGENT: data}, MemoryTree({AGENT: data})):
        assert find_sites(tree) == ()
        (site,) = find_sites(tree, payloads=True)
        both = find_sites({**tree, "a.py": FACTORY.encode()}, payloads=True)
        assert [one.path for one in both] == ["a.py", site.path]
        assert site.path == f"{AGENT}!agent/pick.py"
        assert site.decide("CentOS Linux").branch == "redhat"


@pytest.mark.parametrize(
    "data",
    [b"", b"not gzip", archive({"a.py": b"centos" * 999})[:-40], gzip.compress(b"no tar" * 200)],
    ids=["empty", "no gzip", "cut short", "no tar"],
)
def test_a_damaged_archive_is_reported_as_such(data: bytes) -> None:
    (site,) = find_sites({AGENT: data}, payloads=True)
    assert site.path == AGENT
    assert "cannot be read" in (site.problem or "")


def test_an_archive_longer_than_the_limit_ends_the_search() -> None:
    bomb = archive({"zeros": bytes(1 << 20), "late.py": b"pass\n"})
    assert [one.path for one in scripts({AGENT: bomb}, AGENT, largest=99)] == [f"{AGENT}!late.py"]
    with pytest.raises(SearchEnded):
        list(scripts({AGENT: bomb}, AGENT, largest=99, limit=1 << 19))


def test_links_and_large_members_are_passed_over() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        tar.addfile(link)
        large = tarfile.TarInfo("large.py")
        large.size = 100
        tar.addfile(large, io.BytesIO(b"#" * 100))
    assert list(scripts({AGENT: packed.getvalue()}, AGENT, largest=99)) == []
