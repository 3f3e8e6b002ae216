# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import CONFIG
from ngtpatch.identity.assemble import Recipe, identity_of, sets_of
from ngtpatch.identity.check import check
from ngtpatch.identity.inventory import Row
from tests.identity import material as m

TEMPLATE = (
    '{"cluster_ip": "{{ ip }}", "ngt_uuid": "{{ ngt_uuid }}", "ngt_version": "2.0.1",'
    ' "port": {{ port | default(2074) }}, "label": {{ name | tojson }}}\n'
)


def row(tmp_path: Path, **values: object) -> Row:
    for path, data in m.files(1).items():
        (tmp_path / Path(path).name).write_bytes(data)
    return Row(
        2,
        'a "quoted" vm',
        certificate=str(tmp_path / "client-cert.pem"),
        key=str(tmp_path / "client-key.pem"),
        values={"name": 'a "quoted" vm', **values},
    )


def test_a_template_makes_the_whole_configuration(tmp_path: Path) -> None:
    uuid = json.loads(m.config(5))["ngt_uuid"]
    identity = identity_of(row(tmp_path, ip="10.0.0.1", ngt_uuid=uuid), Recipe({}, TEMPLATE))
    assert identity.config is not None
    assert json.loads(identity.config) == {
        "cluster_ip": "10.0.0.1", "ngt_uuid": uuid, "ngt_version": "2.0.1", "port": 2074,
        "label": 'a "quoted" vm',
    }  # fmt: skip


def test_what_a_template_makes_is_checked(tmp_path: Path) -> None:
    identity = identity_of(row(tmp_path, ip="nowhere", ngt_uuid="x"), Recipe({}, TEMPLATE))
    found = {f.code: f.path for f in check(identity, now=m.NOW) if f.code != "mode"}
    assert found == dict.fromkeys(["config-cluster-ip", "config-ngt-uuid"], "--config-template")


def test_a_file_comes_before_the_template(tmp_path: Path) -> None:
    given = row(tmp_path)
    given = Row(2, "vm", config=str(tmp_path / "ngt_config.json"), values=given.values)
    assert identity_of(given, Recipe({}, TEMPLATE)).config == m.config(1)


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ name.x.y }}", "no attribute 'x'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% if %}", "line 1"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_a_template_that_does_not_fit_names_what(tmp_path: Path, template: str, what: str) -> None:
    with pytest.raises(InputError, match="--config-template") as caught:
        identity_of(row(tmp_path), Recipe({}, template))
    assert caught.value.code == "template"
    assert what in caught.value.message


def test_set_values_can_be_templates() -> None:
    given = Row(1, "vm", sets={"port": "1"}, values={"name": "vm", "site": "east"})
    recipe = Recipe({"location": "{{ site | upper }}", "plain": "{ not }", "port": "2074"})
    recipe.compile()
    assert sets_of(given, recipe) == {"location": "EAST", "plain": "{ not }", "port": "2074"}
    with pytest.raises(InputError, match="--set broken"):
        Recipe({"broken": "{{"}).compile()


def test_an_identity_knows_where_its_parts_are_from(tmp_path: Path) -> None:
    identity = identity_of(row(tmp_path, ip="1.2.3.4", ngt_uuid="x"), Recipe({}, TEMPLATE))
    assert identity.where(CONFIG) == "--config-template"
