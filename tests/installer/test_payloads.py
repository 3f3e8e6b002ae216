# SPDX-License-Identifier: Apache-2.0
"""Archives are looked into as streams, and no archive can make that expensive."""

import gzip
import io
import tarfile
import zipfile

import pytest

from ngtpatch.files.tree import MemoryTree
from ngtpatch.installer.payloads import SearchEnded, read_payload, scripts, split_member
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


def test_links_are_passed_over_and_a_script_that_is_too_large_is_named() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        tar.addfile(link)
        large = tarfile.TarInfo("large.py")
        large.size = 100
        tar.addfile(large, io.BytesIO(b"#" * 100))
        data = tarfile.TarInfo("large.txt")
        data.size = 100
        tar.addfile(data, io.BytesIO(b"#" * 100))
    with pytest.raises(SearchEnded, match=r"^large\.py is a script that is too large to be looked"):
        list(scripts({AGENT: packed.getvalue()}, AGENT, largest=99))


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return packed.getvalue()


def test_archives_in_an_archive_are_looked_into_and_cannot_be_changed() -> None:
    egg = zipped({"lib/pick.py": FACTORY.encode()})
    data = archive(
        {"./lib/x.egg": egg, "./inner.tar.gz": archive({"b.py": b"pass"}), "./a.py": b""}
    )
    found = {one.path: one for one in scripts({AGENT: data}, AGENT, largest=9999)}
    assert list(found) == [
        f"{AGENT}!./lib/x.egg!lib/pick.py",
        f"{AGENT}!./inner.tar.gz!b.py",
        f"{AGENT}!./a.py",
    ]
    fixed = [one.fixed for one in found.values()]
    assert fixed[2] is None
    assert all(why and "archive's archive" in why for why in fixed[:2])
    payload = read_payload(
        {AGENT: data}, AGENT, largest=9999, wanted=lambda data: b"centos" in data
    )
    assert payload.names == ("./lib/x.egg", "./inner.tar.gz", "./a.py")
    assert [one.path for one in payload.scripts] == [f"{AGENT}!./lib/x.egg!lib/pick.py"]
    assert payload.unread is None


def test_what_is_not_looked_into_is_named() -> None:
    deep = zipped({"a.egg": zipped({"x.py": b""})})
    cut = archive({"b.py": b"#" * 999})[:-30]
    data = archive({"deep.egg": deep, "cut.tgz": cut, "rest.py": b"pass"})
    payload = read_payload({AGENT: data}, AGENT, largest=9999, wanted=lambda _: True)
    assert [one.path for one in payload.scripts] == [f"{AGENT}!rest.py"]
    assert payload.unread
    assert "a further archive, a.egg" in payload.unread
    assert "cut.tgz" in payload.unread


def test_a_zip_is_an_archive_like_the_others() -> None:
    path = "installer/linux/agent.zip"
    (one,) = scripts({path: zipped({"bin/x.py": b"pass"})}, path, largest=99)
    assert (one.path, one.fixed) == (f"{path}!bin/x.py", None)
    assert split_member(one.path) == (path, "bin/x.py")
