# SPDX-License-Identifier: Apache-2.0
"""Every shipped template, judged by the tools of its language, with plain and awkward values."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ngtpatch.render import find_template, render, shipped_templates
from tests.render.tools import accepted, packer, python_tool
from tests.requirements import tool

VM = "20edafba-0644-4e57-a3cf-4abef2f69a5f"
AWKWARD = 'it\'s "$(id)" `id` ${x} %{y} {{ z }}\n%end\nNGT_INSTALL\n```'

# What has no default, and what a hostile value would be tried on.
REQUIRED: dict[str, dict[str, object]] = {
    "ansible-playbook.yml": {
        "image_name": "ngt-2.0.1-rocky-0123456789ab.iso",
        "image_url": "https://files.example.com/ngt.iso?a=b&c={{d}}",
        "image_sha256": "0" * 64,
        "cluster_ext_id": "00061413-990f-363a-185b-ac1f6b6f97e2",
    },
    "cluster-runbook.md": {"vms": [VM, VM]},
    "cluster-runbook.sh": {"vms": [VM, VM]},
    "packer.pkr.hcl": {"source_image": 'Rocky "9" ${x}', "cluster": "c'1", "subnet": "vlan %{1}"},
}
GUEST = ["cloud-init.yaml", "guest-install.sh", "kickstart-post.ks", "ansible-playbook.yml"]


def rendered(name: str, directory: Path, **values: object) -> Path:
    path = directory / name
    path.write_text(render(name, {**REQUIRED.get(name, {}), **values}))
    return path


def test_there_is_every_template_that_the_documentation_names() -> None:
    assert [template.name for template in shipped_templates()] == [
        "ansible-playbook.yml",
        "cloud-init.yaml",
        "cluster-runbook.md",
        "cluster-runbook.sh",
        "guest-generalize.sh",
        "guest-install.sh",
        "kickstart-post.ks",
        "packer.pkr.hcl",
        "windows-silent.ps1",
    ]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("guest-install.sh", {}),
        ("guest-install.sh", {"label": AWKWARD, "services": [AWKWARD, "b"], "python": "py 3"}),
        ("guest-generalize.sh", {}),
        ("guest-generalize.sh", {"prefix": "/it's $(id)"}),
        ("cluster-runbook.sh", {"method": "refresh"}),
        ("cluster-runbook.sh", {"method": "recreate"}),
    ],
)
def test_shell_scripts_pass_shellcheck_and_bash(
    tmp_path: Path, name: str, values: dict[str, object]
) -> None:
    script = rendered(name, tmp_path, **values)
    accepted("bash", "-n", str(script))
    # In a value, `$(id)` is only text, about which shellcheck wonders at the level info.
    severity = "warning" if values else "style"
    accepted(tool("shellcheck", "shellcheck"), f"--severity={severity}", str(script))


@pytest.mark.parametrize("task", ["install", "refresh"])
@pytest.mark.parametrize("label", ["NUTANIX_TOOLS", AWKWARD])
def test_cloud_init_accepts_its_user_data(tmp_path: Path, task: str, label: str) -> None:
    user_data = rendered("cloud-init.yaml", tmp_path, task=task, label=label)
    judge = tool("cloud-init", "cloud-init")
    assert "Valid" in accepted(judge, "schema", "--config-file", str(user_data))


def test_cloud_init_carries_the_installation_script_unchanged(tmp_path: Path) -> None:
    document = yaml.safe_load(rendered("cloud-init.yaml", tmp_path, label=AWKWARD).read_text())
    assert document["write_files"][0]["content"] == render("guest-install.sh", {"label": AWKWARD})


@pytest.mark.parametrize("version", ["RHEL7", "RHEL8", "RHEL9", "RHEL10"])
def test_pykickstart_accepts_the_kickstart_section(tmp_path: Path, version: str) -> None:
    section = rendered("kickstart-post.ks", tmp_path)
    judge = python_tool("ksvalidator", "pykickstart")
    printed = accepted(judge, "--firsterror", "--version", version, str(section))
    assert "deprecated" not in printed


def test_the_kickstart_section_writes_the_installation_script(tmp_path: Path) -> None:
    # Run for real, but with the paths of the machine it would change moved here.
    text = rendered("kickstart-post.ks", tmp_path, label="MY 'DISC'").read_text()
    body = text.split("%post", 1)[1].split("\n", 1)[1].rsplit("%end", 1)[0]
    accepted(tool("shellcheck", "shellcheck"), "--shell=bash", "-", input=body)
    for directory in ("usr/local/sbin", "etc/systemd/system"):
        (tmp_path / directory).mkdir(parents=True)
    body = re.sub("(/usr/local/sbin/ngt-install|/etc/systemd/)", rf"{tmp_path}\1", body)
    accepted("bash", "-c", "systemctl() { :; }\n" + body)
    written = tmp_path / "usr/local/sbin/ngt-install"
    assert os.access(written, os.X_OK)
    assert written.read_text() == render("guest-install.sh", {"label": "MY 'DISC'"})


def test_a_value_cannot_end_the_kickstart_section(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="would end the here-document"):
        rendered("kickstart-post.ks", tmp_path, label=AWKWARD)


def test_packer_accepts_the_template(tmp_path: Path) -> None:
    # Debian's Packer 1.6 has no Nutanix plugin, and cannot load one: so the syntax, the
    # layout, the variables and, below, the plugin's names are what can be judged here.
    template = rendered("packer.pkr.hcl", tmp_path)
    for arguments in (("validate", "-syntax-only"), ("fmt", "-check", "-diff")):
        run = packer(*arguments, template.name, cwd=tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr


def test_all_but_the_plugin_s_own_block_is_validated_by_packer(tmp_path: Path) -> None:
    # With a source that this Packer has, it checks the rest for real: variables, provisioners,
    # post-processors, and that the scripts are there.
    template = rendered("packer.pkr.hcl", tmp_path)
    text = template.read_text().replace('"source.nutanix.golden"', '"source.null.golden"')
    null = 'source "null" "golden" {\n  communicator = "none"\n}\n\n'
    template.write_text(
        text[: text.index('source "nutanix"')] + null + text[text.index("build {") :]
    )
    variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    (tmp_path / "all.auto.pkrvars.json").write_text(json.dumps(dict.fromkeys(variables, "x")))
    for script in ("guest-install.sh", "guest-generalize.sh"):
        rendered(script, tmp_path)
    run = packer("validate", ".", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    (tmp_path / "guest-install.sh").unlink()
    assert packer("validate", ".", cwd=tmp_path).returncode == 1


def test_the_packer_template_uses_only_what_the_plugin_documents(tmp_path: Path) -> None:
    # From the plugin's reference, 1.3.0 (docs/builders/nutanix.mdx).
    documented = {
        "source": {
            "nutanix_endpoint", "nutanix_username", "nutanix_password", "cluster_name", "os_type",
            "cpu", "memory_mb", "image_name", "image_description", "ssh_username", "ssh_password",
            "shutdown_command", "force_deregister",
        },
        "vm_disks": {"image_type", "source_image_name", "source_image_path", "source_image_delete"},
        "vm_nics": {"subnet_name"},
        "vm_clean": {"cdrom"},
    }  # fmt: skip
    text = rendered("packer.pkr.hcl", tmp_path).read_text()
    source = text[text.index('source "nutanix"') : text.index("build {")]
    for block in ("vm_disks", "vm_nics", "vm_clean"):
        for body in re.findall(rf"{block} {{(.*?)}}", source, re.DOTALL):
            assert set(re.findall(r"^ +(\w+) +=", body, re.MULTILINE)) <= documented[block]
    own = set(re.findall(r"^  (\w+) +=", source, re.MULTILINE))
    assert own <= documented["source"]
    assert re.search(r'^    image_type += "ISO_IMAGE"$', source, re.MULTILINE)


STUB = """#!/usr/bin/python
# Stands for a module of nutanix.ncp, which needs a Prism Central: takes the arguments that
# the collection's 2.5.0 documents, and answers with a canned response.
import json
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec=json.loads({spec!r}), supports_check_mode=True)
module.exit_json(changed=False, **json.loads({answer!r}))
"""
ANY = {"type": "dict"}
TEXT = {"type": "str"}
NEEDED = {"type": "str", "required": True}
STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
MODULES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "ntnx_images_info_v2": ({"ext_id": TEXT, "filter": TEXT}, {"response": []}),
    "ntnx_images_v2": (
        {"state": STATE, "name": TEXT,
         "type": {"type": "str", "choices": ["DISK_IMAGE", "ISO_IMAGE"]}, "checksum": ANY,
         "source": ANY, "cluster_location_ext_ids": {"type": "list", "elements": "str"}},
        {"ext_id": "b988b5ae-da2d-424c-8530-51529a0efb52"},
    ),
    "ntnx_vms_cd_rom_info_v2": (
        {"ext_id": TEXT, "vm_ext_id": NEEDED},
        {"response": [{"ext_id": "full", "backing_info": {}},
                      {"ext_id": "empty", "backing_info": None}]},
    ),
    "ntnx_vms_cd_rom_iso_v2": (
        {"state": STATE, "ext_id": TEXT, "vm_ext_id": NEEDED, "backing_info": ANY}, {},
    ),
}  # fmt: skip


@pytest.fixture
def ansible(tmp_path: Path) -> dict[str, str]:
    modules = tmp_path / "ansible_collections/nutanix/ncp/plugins/modules"
    modules.mkdir(parents=True)
    for name, (spec, answer) in MODULES.items():
        source = STUB.format(spec=json.dumps(spec), answer=json.dumps(answer))
        (modules / f"{name}.py").write_text(source)
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "LC_ALL": "C.UTF-8",
    }


def test_ansible_accepts_the_playbook(tmp_path: Path, ansible: dict[str, str]) -> None:
    playbook = rendered("ansible-playbook.yml", tmp_path, label=AWKWARD)
    judge = python_tool("ansible-playbook", "ansible-core")
    inventory = tmp_path / "hosts"
    inventory.write_text(
        f"[ngt]\nguest ansible_connection=local ansible_become=false vm_ext_id={VM} "
        f"ansible_python_interpreter={sys.executable}\n"
        "[control]\nlocalhost ansible_connection=local "
        f"ansible_python_interpreter={sys.executable}\n"
    )
    accepted(judge, "--syntax-check", "-i", str(inventory), str(playbook), env=ansible)
    # Dry, so that nothing is installed here; the collection's modules are stubs.
    printed = accepted(judge, "--check", "-v", "-i", str(inventory), str(playbook), env=ansible)
    assert '"ngt_cd_rom": "empty"' in printed
    assert "failed=0" in printed


@pytest.mark.parametrize("there", [True, False])
def test_the_playbook_takes_an_image_that_push_has_put_there(
    tmp_path: Path, ansible: dict[str, str], there: bool
) -> None:
    playbook = rendered(
        "ansible-playbook.yml", tmp_path, image_url="", image_sha256="", cluster_ext_id=""
    )
    spec, _ = MODULES["ntnx_images_info_v2"]
    answer = {"response": [{"ext_id": VM}] if there else []}
    stub = STUB.format(spec=json.dumps(spec), answer=json.dumps(answer))
    modules = tmp_path / "ansible_collections/nutanix/ncp/plugins/modules"
    (modules / "ntnx_images_info_v2.py").write_text(stub)
    (modules / "ntnx_images_v2.py").unlink()  # nothing is created
    ansible["ANSIBLE_PYTHON_INTERPRETER"] = sys.executable
    ran = subprocess.run(
        [python_tool("ansible-playbook", "ansible-core"), "--check", "-v", "-i", "localhost,",
         str(playbook)],
        env=ansible, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode == 0) == there, ran.stdout
    assert (f'"ngt_image_ext_id": "{VM}"' in ran.stdout) == there
    assert ("ngtpatch push ISO" in ran.stdout) == (not there)


def test_the_playbook_carries_the_installation_script_unchanged(tmp_path: Path) -> None:
    class Loader(yaml.SafeLoader):
        pass

    def literal(loader: Loader, node: yaml.Node) -> object:
        assert isinstance(node, yaml.ScalarNode)
        return loader.construct_scalar(node)

    Loader.add_constructor("!unsafe", literal)
    text = rendered("ansible-playbook.yml", tmp_path, label=AWKWARD).read_text()
    plays = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader with one more tag
    block = next(task["block"] for task in plays[1]["tasks"] if "block" in task)
    assert block[1]["ansible.builtin.copy"]["content"] == render(
        "guest-install.sh", {"label": AWKWARD}
    )


@pytest.mark.parametrize("method", ["refresh", "recreate"])
def test_the_runbook_for_people_has_the_script_s_commands(tmp_path: Path, method: str) -> None:
    text = rendered("cluster-runbook.md", tmp_path, method=method).read_text()
    script = rendered("cluster-runbook.sh", tmp_path, method=method)
    printed = accepted("bash", str(script))
    commands = re.findall(r"^\+ (.+)$", printed, re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        assert f"   {command}\n" in text
    assert "IDE" in text


def test_a_uuid_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="does not have the expected form"):
        render("cluster-runbook.sh", {"vms": "web01"})


def test_the_powershell_script_runs_what_the_vendor_documents() -> None:
    # No PowerShell is at hand: its syntax is not checked here, only what it would run.
    text = render("windows-silent.ps1", {"label": "MY 'DISC'"})
    assert "$Label = 'MY ''DISC'''" in text
    assert "'/quiet', 'ACCEPTEULA=yes', '/norestart'" in text
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize("name", GUEST)
def test_what_embeds_the_installation_script_takes_its_parameters(name: str) -> None:
    assert set(find_template("guest-install.sh").parameters) <= set(find_template(name).parameters)
