# SPDX-License-Identifier: Apache-2.0
import json
from datetime import timedelta

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.files.tree import MemoryTree
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.exchange import carriers, injected, stripped
from tests.identity import material as m

PAYLOAD = {"setup.exe": b"MZ", "installer/linux/install_ngt.py": b"print()\n"}
SHARED = MemoryTree({**PAYLOAD, CONFIG: b'{"ngt_version": "2.0.1"}'})


def of(number: int, **options: object) -> Identity:
    files = m.files(number, **options)  # type: ignore[arg-type]
    return Identity(f"vm{number}", files[CONFIG], files[CERTIFICATE], files[KEY])


def test_a_shared_tree_gets_all_three() -> None:
    result = injected(SHARED, of(1), now=m.NOW)
    given = of(1)
    assert set(result.files) == {CONFIG, CERTIFICATE, KEY}
    assert result.files[KEY] == given.key
    assert json.loads(result.files[CONFIG]) == json.loads(m.config(1))
    assert result.warnings == ()


def test_another_vm_replaces_all_three() -> None:
    tree = MemoryTree({**PAYLOAD, **m.files(1)})
    result = injected(tree, of(2), now=m.NOW)
    assert dict(result.files) == m.files(2) | {CERTIFICATE: result.files[CERTIFICATE]}


def test_the_image_keeps_its_ngt_version_and_says_so() -> None:
    given = of(1)
    older = Identity("vm1", m.config(1, ngt_version="1.7.3"), given.certificate, given.key)
    result = injected(SHARED, older, now=m.NOW)
    assert json.loads(result.files[CONFIG])["ngt_version"] == "2.0.1"
    assert [w.code for w in result.warnings] == ["ngt-version-kept"]
    told = injected(SHARED, older, sets={"ngt_version": "1.7.3"}, now=m.NOW)
    assert json.loads(told.files[CONFIG])["ngt_version"] == "1.7.3"


def test_a_configuration_without_version_gets_the_images() -> None:
    given = of(1)
    values = json.loads(m.config(1))
    del values["ngt_version"]
    bare = Identity("vm1", json.dumps(values).encode(), given.certificate, given.key)
    result = injected(SHARED, bare, now=m.NOW)
    assert json.loads(result.files[CONFIG])["ngt_version"] == "2.0.1"


def test_a_renewed_certificate_alone() -> None:
    tree = MemoryTree({**PAYLOAD, **m.files(1)})
    renewed = m.pem(m.certificate(m.private_key("p256", 1), name="renewed"))
    result = injected(tree, Identity("vm1", certificate=renewed), now=m.NOW)
    assert dict(result.files) == {CERTIFICATE: renewed}
    foreign = m.pem(m.certificate(m.private_key("p256", 9)))
    with pytest.raises(Refusal) as caught:
        injected(tree, Identity("vm1", certificate=foreign), now=m.NOW)
    assert caught.value.code == "key-mismatch"


@pytest.mark.parametrize("sets", [{"ngt_uuid": "d4de685b-791a-4fbc-b916-6d5008bcbe2d"}, None])
def test_two_vms_never_meet(sets: dict[str, str] | None) -> None:
    tree = MemoryTree({**PAYLOAD, **m.files(1)})
    given = Identity("vm2", config=None if sets else m.config(2))
    with pytest.raises(Refusal) as caught:
        injected(tree, given, sets=sets, now=m.NOW)
    assert caught.value.code == "mixed-identity"


def test_another_vms_unknown_keys_are_no_template() -> None:
    tree = MemoryTree({**m.files(1), CONFIG: m.config(1, site="of vm1")})
    files = m.files(2)
    given = Identity("vm2", certificate=files[CERTIFICATE], key=files[KEY])
    with pytest.raises(Refusal) as caught:
        injected(tree, given, sets={"ngt_uuid": json.loads(m.config(2))["ngt_uuid"]}, now=m.NOW)
    assert caught.value.code == "mixed-identity"


def test_half_an_identity_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        injected(SHARED, Identity("vm1", config=m.config(1)), now=m.NOW)
    assert caught.value.code == "missing"


def test_expired_is_refused_and_expiring_said() -> None:
    begin = m.NOW - timedelta(days=1001)
    with pytest.raises(Refusal) as caught:
        injected(SHARED, of(1, begin=begin), now=m.NOW)
    assert caught.value.code == "expired"
    soon = injected(SHARED, of(1, begin=begin + timedelta(days=30)), now=m.NOW)
    assert [w.code for w in soon.warnings] == ["expiring"]


def test_values_of_a_shared_image_can_be_set() -> None:
    result = injected(SHARED, Identity("iso"), sets={"cluster_ip": "10.1.1.1"}, now=m.NOW)
    assert dict(result.files) == {CONFIG: b'{"ngt_version": "2.0.1", "cluster_ip": "10.1.1.1"}'}


def test_injecting_what_is_there_changes_nothing() -> None:
    files = m.files(1)
    same = Identity("vm1", files[CONFIG], files[CERTIFICATE], files[KEY])
    assert injected(MemoryTree({**PAYLOAD, **files}), same, now=m.NOW).files == {}


def test_stripping_leaves_the_version_alone() -> None:
    tree = MemoryTree({**PAYLOAD, **m.files(1)})
    assert carriers(tree) == (CERTIFICATE, KEY, CONFIG)
    result = stripped(tree)
    assert dict(result.files) == {CONFIG: b'{"ngt_version": "2.0.1"}'}
    assert result.removed == (CERTIFICATE, KEY)
    left = {**tree, **result.files}
    for path in result.removed:
        del left[path]
    assert carriers(MemoryTree(left)) == ()
    assert stripped(MemoryTree(left)) == stripped(SHARED)


def test_a_key_by_any_name_is_found() -> None:
    key = m.files(1)[KEY]
    tree = MemoryTree(
        {**SHARED, "config/agent.txt": key, "installer/linux/old.key": key, "readme.txt": key}
    )
    assert carriers(tree) == ("config/agent.txt", "installer/linux/old.key")
    assert stripped(tree).removed == carriers(tree)


def test_a_configuration_without_version_cannot_be_shared() -> None:
    with pytest.raises(Refusal) as caught:
        stripped(MemoryTree({CONFIG: b'{"ngt_uuid": "x"}'}))
    assert caught.value.code == "ngt-version"
