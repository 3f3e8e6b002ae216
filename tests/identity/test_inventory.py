# SPDX-License-Identifier: Apache-2.0
import json
import pickle
import time
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from ngtpatch.errors import InputError
from ngtpatch.identity.inventory import InventoryError, load
from tests.identity import material as m

UUID = "0c8d9f3e-5a8b-4f6e-9d63-2d6f0f7a1b{:02x}"

CLUSTER = "00061663-5b5e-8d9f-0000-00000000abcd"

NCLI = """\
Nutanix Command Line Interface

    VM Id                     : 0005a1b2-c3d4::{a}
    VM Name                   : web : 01
    NGT Enabled               : true
    Tools ISO Mounted         : false
    Vss Snapshot              : true
    File Level Restore        : false
    Communication Link Active : true

    VM Id                     : 0005a1b2-c3d4::{b}
    VM Name                   : db-01
    NGT Enabled               : true
    Communication Link Active :
"""

PRISM_V3 = {
    "api_version": "3.1",
    "metadata": {"kind": "vm", "total_matches": 3, "length": 2, "offset": 0},
    "entities": [
        {
            "status": {"name": "web-01", "resources": {}, "cluster_reference": {"name": "east"}},
            "spec": {"name": "old name"},
            "metadata": {"kind": "vm", "uuid": UUID.format(1)},
        },
        {"spec": {"name": "db-01"}, "metadata": {"kind": "vm", "uuid": UUID.format(2)}},
    ],
}

PRISM_V4 = {
    "data": [
        {"extId": UUID.format(1), "name": "web-01", "guestTools": {"isInstalled": True}},
        {"extId": UUID.format(2), "name": "db-01"},
    ],
    "metadata": {"totalAvailableResults": 2},
}


def write(path: Path, text: object) -> Path:
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def put(directory: Path, *numbers: int) -> Path:
    for number in numbers:
        for name, data in m.files(number).items():
            target = directory / f"vm{number}" / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return directory


def test_csv_with_paths_relative_to_itself(tmp_path: Path) -> None:
    put(tmp_path / "ids", 1)
    text = (
        "Name,config,cert,key,site\n\n"
        '"vm1",ids/vm1/ngt_config.json,ids/vm1/client-cert.pem,ids/vm1/client-key.pem,"a, b"\n'
    )
    (row,) = load(write(tmp_path / "vms.csv", text)).require().rows
    assert (row.number, row.name, row.values["site"]) == (3, "vm1", "a, b")
    assert row.path("certificate") == tmp_path / "ids/vm1/client-cert.pem"
    assert row.path("key") == tmp_path / "ids/vm1/client-key.pem"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_dialects(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffname,port\r\nvm1,2074\r\n".replace(",", delimiter)
    (row,) = load(write(tmp_path / "vms.csv", text)).require().rows
    assert row.sets == {"port": "2074"}


@pytest.mark.parametrize("name", ["vms.json", "vms.jsonl"])
def test_json_and_json_lines_keep_types_for_templates(tmp_path: Path, name: str) -> None:
    rows = [{"name": "vm1", "port": 2074, "tags": ["a"]}, {"vm_name": 7}]
    text = json.dumps(rows) if name == "vms.json" else "\n".join(json.dumps(r) for r in rows)
    first, second = load(write(tmp_path / name, text)).require().rows
    assert first.values == {"name": "vm1", "port": 2074, "tags": ["a"]}
    assert first.sets == {"port": "2074"}
    assert second.name == "7"


def test_folders(tmp_path: Path) -> None:
    put(tmp_path, 1, 2)
    (tmp_path / ".hidden").mkdir()
    inventory = load(tmp_path).require()
    assert [row.name for row in inventory.rows] == ["vm1", "vm2"]
    assert inventory.rows[0].path("key") == tmp_path / "vm1/client-key.pem"


def test_ncli_joined_with_certificates(tmp_path: Path) -> None:
    certificates = tmp_path / "certificates"
    put(certificates, 1)
    (certificates / "vm1").rename(certificates / UUID.format(1))
    for name, data in m.files(2).items():
        end = Path(name).name.removeprefix("client")
        (certificates / {"ngt_config.json": "db-01.json"}.get(end, f"db-01{end}")).write_bytes(data)
    text = NCLI.format(a=UUID.format(1), b=UUID.format(2))
    web, db = load(write(tmp_path / "list.txt", text), certificates=certificates).require().rows
    assert (web.name, web.vm_uuid) == ("web : 01", UUID.format(1))
    assert web.path("key") == certificates / UUID.format(1) / "client-key.pem"
    assert (db.config, db.certificate, db.key) == tuple(
        str(certificates / name) for name in ("db-01.json", "db-01-cert.pem", "db-01-key.pem")
    )
    assert web.values["communication_link_active"] == "true"


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_a_name_with_an_accent_is_found_in_either_form(
    tmp_path: Path, forms: tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]]
) -> None:
    there, wanted = (normalize(form, "caf\N{LATIN SMALL LETTER E WITH ACUTE}") for form in forms)
    put(tmp_path / "c", 1)
    (tmp_path / "c/vm1").rename(tmp_path / "c" / there)
    text = f"name\n{wanted}\n"
    (row,) = load(write(tmp_path / "vms.csv", text), certificates=tmp_path / "c").require().rows
    assert row.path("key") == tmp_path / "c" / there / "client-key.pem"
    (tmp_path / f"c/{normalize('NFC' if forms[0] == 'NFD' else 'NFD', there)}-key.pem").touch()
    (problem,) = load(tmp_path / "vms.csv", certificates=tmp_path / "c").problems
    assert "both fit" in problem.message


def test_ncli_without_blank_lines_between_records(tmp_path: Path) -> None:
    text = NCLI.format(a=UUID.format(1), b=UUID.format(2)).replace("\n\n", "\n")
    assert [r.name for r in load(write(tmp_path / "l.txt", text)).rows] == ["web : 01", "db-01"]


def test_prism_v3_says_when_pages_are_missing(tmp_path: Path) -> None:
    inventory = load(write(tmp_path / "vms.json", PRISM_V3)).require()
    assert [(r.name, r.vm_uuid) for r in inventory.rows] == [
        ("web-01", UUID.format(1)), ("db-01", UUID.format(2)),
    ]  # fmt: skip
    assert inventory.rows[0].values["cluster_name"] == "east"
    assert "2 of 3 VMs" in inventory.notes[0]


def test_prism_v4(tmp_path: Path) -> None:
    inventory = load(write(tmp_path / "vms.json", PRISM_V4)).require()
    assert [(r.name, r.vm_uuid) for r in inventory.rows] == [
        ("web-01", UUID.format(1)), ("db-01", UUID.format(2)),
    ]  # fmt: skip
    assert inventory.notes == ()


def test_an_inventory_reads_what_status_reads(tmp_path: Path) -> None:
    text = NCLI.format(a=UUID.format(1), b=UUID.format(2))
    bare = "\n".join(line.strip() for line in text.splitlines())
    (tmp_path / "utf-16.txt").write_bytes(text.encode("utf-16"))
    for path in (write(tmp_path / "bare.txt", bare), tmp_path / "utf-16.txt"):
        assert [row.name for row in load(path).require().rows] == ["web : 01", "db-01"]
    first, second = ({**PRISM_V4, "data": [vm]} for vm in PRISM_V4["data"])
    pages = f"{json.dumps(first)}\n{json.dumps(second)}"
    inventory = load(write(tmp_path / "pages.json", pages)).require()
    assert [row.vm_uuid for row in inventory.rows] == [UUID.format(1), UUID.format(2)]
    assert inventory.notes == ()
    assert "1 of 2 VMs" in load(write(tmp_path / "page.json", first)).notes[0]


def test_two_certificates_for_one_vm_are_not_a_choice(tmp_path: Path) -> None:
    put(tmp_path / "c", 1)
    (tmp_path / "c/vm1.crt").write_bytes(b"x")
    inventory = load(write(tmp_path / "vms.csv", "name\nvm1\n"), certificates=tmp_path / "c")
    assert [(p.row, p.column) for p in inventory.problems] == [(2, "cert")]


def test_every_error_at_once_with_row_and_column(tmp_path: Path) -> None:
    text = (
        "name,vm_uuid,ngt_uuid,cluster_ip,port,key\n"
        "vm1,,,10.0.0.1,2074,\n"
        "vm1,,,10.0.0.1,2074,\n"
        ",,,10.0.0.1,2074,\n"
        "vm4,nonsense,,10.0.0.1,2074,\n"
        "vm5,,nonsense,10.0.0.999,ssh,\n"
        "vm6,,,10.0.0.1\n"
        "vm7,,,10.0.0.1,70000,none.pem\n"
        "vm8,,,10.0.0.1,2074,none.pem\n"
    )
    inventory = load(write(tmp_path / "vms.csv", text))
    with pytest.raises(InventoryError) as caught:
        inventory.require()
    assert [(p.row, p.column) for p in caught.value.problems] == [
        (3, "name"), (4, "name"), (5, "vm_uuid"), (6, "cluster_ip"), (6, "ngt_uuid"),
        (6, "port"), (7, None), (8, "port"),
    ]  # fmt: skip
    for problem in caught.value.problems:
        assert str(problem) in caught.value.message
    assert [(p.row, p.column) for p in inventory.missing_files()] == [(9, "key")]


def test_the_list_of_errors_survives_a_process_boundary(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        load(write(tmp_path / "vms.jsonl", '{"name": ""}\n[]\n{')).require()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert again.problems == caught.value.problems
    assert [p.row for p in again.problems] == [1, 2, 3]


def test_a_pasted_key_is_not_quoted_back(tmp_path: Path) -> None:
    key = m.files(1)["config/client-key.pem"].decode()
    with pytest.raises(InputError) as caught:
        load(write(tmp_path / "vms.json", [{"name": "vm1", "port": key}])).require()
    assert caught.value.code == "secret"
    assert not any(line in caught.value.message for line in key.splitlines())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ""),
        ("a.csv", "hostname,ip\na,b\n"),
        ("a.csv", "name,vm\na,b\n"),
        ("a.json", "{"),
        ("a.json", "[]"),
        ("a.txt", "\x00\x01"),
    ],
)
def test_what_is_no_inventory_is_said(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path / name, text)).require()
    assert caught.value.code == "inventory-form"
    assert caught.value.path is not None


def test_latin_1_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "vms.csv"
    path.write_bytes("name\nvm1\nMünchen\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 3"):
        load(path)


def test_exports_of_spreadsheets_are_read_as_they_are(tmp_path: Path) -> None:
    """A sep= line, UTF-16, columns without a name, a name that begins with a number sign."""
    text = "sep=;\r\nname;port;;\r\n#1 web, east;2074;;\r\n\r\ndb;;;\r\n"
    for data in (text.encode(), text.encode("utf-16"), b"\xfe\xff" + text.encode("utf-16-be")):
        (tmp_path / "vms.csv").write_bytes(data)
        rows = load(tmp_path / "vms.csv").require().rows
        assert [(r.number, r.name, r.sets) for r in rows] == [
            (3, "#1 web, east", {"port": "2074"}), (5, "db", {}),
        ]  # fmt: skip
    write(tmp_path / "more.csv", "name,port,\nvm1,2074,a,b\n")
    assert [(p.row, p.column) for p in load(tmp_path / "more.csv").problems] == [(2, None)]


@pytest.mark.parametrize("name", ["vms.json", "vms.jsonl"])
def test_a_member_given_twice_is_named(tmp_path: Path, name: str) -> None:
    first, second = (
        '{"name": "vm1"}',
        '{"name": "vm2", "port": 1, "port": 2, "a": {"b": 1, "b": 2}}',
    )
    text = f"[{first}, {second}]" if name == "vms.json" else f"{first}\n{second}\n"
    problems = load(write(tmp_path / name, text)).problems
    assert [(p.row, p.column) for p in problems] == [(2, "port"), (2, "a.b")]


def test_equal_uuids_in_other_case_are_one(tmp_path: Path) -> None:
    text = f"name,vm_uuid\na,{UUID.format(171)}\nb,{UUID.format(171).upper()}\n"
    problems = load(write(tmp_path / "vms.csv", text)).problems
    assert [(p.row, p.column) for p in problems] == [(3, "vm_uuid")]


MANY = 50_000


@pytest.mark.parametrize("name", ["vms.csv", "vms.json", "vms.txt"])
@pytest.mark.parametrize(
    "text",
    [
        "\n" * MANY, " " * MANY, "\r\n" * MANY, "name\n" + "\n" * MANY + "vm1\n",
        "name" + " " * MANY + "\nvm1\n", "name" + "," * MANY + "\n", "\x1b[" + "1;" * MANY,
        "name," + ",".join(f"c{n}" for n in range(MANY // 6)) + "\n", '"' * MANY,
        "vm_info_vec {\n" * (MANY // 14), "vm_info_vec" + " " * MANY, "VM Name : a" + " :" * MANY,
        "vm_info_vec {" + "#\n" * MANY, "x | SUCCESS" + " " * MANY, "[" * MANY,
        "name\n" + "x" * MANY,
    ],
    ids=range(16),
)  # fmt: skip
def test_time_is_linear_and_a_message_short(tmp_path: Path, name: str, text: str) -> None:
    path, begin, said = write(tmp_path / name, text), time.process_time(), ""
    try:
        load(path).require()
    except InputError as error:
        said = error.message
    assert len(said) < 2000
    assert time.process_time() - begin < 2  # some took half a minute


def test_paths_that_are_none_are_named_with_row_and_column(tmp_path: Path) -> None:
    rows = [
        {"name": "vm1", "key": "~nobody-of-this-name/key.pem"}, {"name": "vm2", "cert": "a\0b"},
        {"name": "vm3", "config": "x" * 5000}, {"name": None}, {"name": "vm5", "ca": None}, None,
        {"name": "vm7", "cert": ["a"]},
    ]  # fmt: skip
    inventory = load(write(tmp_path / "vms.json", rows))
    assert {(p.row, p.column) for p in inventory.problems} == {
        (1, "key"), (2, "cert"), (4, "name"), (6, None), (7, "cert"),
    }  # fmt: skip
    [missing] = inventory.missing_files()
    assert (missing.row, missing.column) == (3, "config")
    assert len(missing.message) < 300


def test_ncli_as_terminals_and_mails_break_it(tmp_path: Path) -> None:
    """At 80 columns, and before the id; a name that is broken between words is not guessed."""
    text = NCLI.format(a=UUID.format(1), b=UUID.format(2)).replace("0005a1b2-c3d4", CLUSTER)
    name = "a name that is so long that a terminal of 80 columns breaks it"
    text = text.replace("db-01", name)
    at_80 = "\n".join(
        line[at : at + 80] for line in text.splitlines() for at in range(0, max(len(line), 1), 80)
    )
    (tmp_path / "broken.txt").write_text(at_80)
    assert at_80 != text.strip()
    inventory = load(tmp_path / "broken.txt").require()
    assert [(r.name, r.vm_uuid) for r in inventory.rows] == [
        ("web : 01", UUID.format(1)), (name, UUID.format(2)),
    ]  # fmt: skip
    mail = text.replace(f": {CLUSTER}", f":\n{CLUSTER}").replace(name, "db-01")
    assert [r.vm_uuid for r in load(write(tmp_path / "mail.txt", mail)).require().rows] == [
        UUID.format(1), UUID.format(2),
    ]  # fmt: skip
    guess = mail.replace(": db-01", ": a long name\nof a VM")
    with pytest.raises(InputError, match="line 14: the name of a VM may go on"):
        load(write(tmp_path / "guess.txt", guess))
    cut = text.replace(UUID.format(2), UUID.format(2)[:20])
    assert [(p.row, p.column) for p in load(write(tmp_path / "cut.txt", cut)).problems] == [
        (11, "vm_uuid")
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # How quotes are doubled is not told by a header that has none.
        ('name,site\n"a ""q""",b\n', ['a "q"']),
        ('name, site\na, "b, c"\n', ["a"]),
        ("a,b;name\nx;vm1\n", ["vm1"]),
        ("name|port\nvm1|2074\n", ["vm1"]),
        ('name,note\nvm1,"as printed:\nVM Name : other"\nvm2,\n', ["vm1", "vm2"]),
    ],
)
def test_a_table_is_read_by_the_delimiter_that_sets_its_names_apart(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    inventory = load(write(tmp_path / "vms.csv", text)).require()
    assert (inventory.form, [row.name for row in inventory.rows]) == ("csv", names)


def test_a_row_of_several_lines_is_named_by_its_first(tmp_path: Path) -> None:
    path = write(tmp_path / "vms.csv", 'name,note\nvm1,"two\nlines"\n,x\nvm2,"never closed\nvm3,\n')
    inventory = load(path)
    assert [row.number for row in inventory.rows] == [2]
    assert [(p.row, p.column) for p in inventory.problems] == [(5, None), (4, "name")]
    assert "never closed" in inventory.problems[0].message


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("name\r\nvm".encode("utf-16") + b"\x00\xd8\r\0\n\0", r"is not UTF-16 \(line 2\)"),
        (NCLI.format(a=UUID.format(1), b=UUID.format(2)).replace("db", "dü").encode("latin-1"),
         r"is not UTF-8 \(line 12\)"),
        (json.dumps(PRISM_V4, ensure_ascii=False).replace("db", "dü").encode("latin-1"),
         r"is not UTF-8 \(line 1\)"),
    ],
    ids=["half a character of UTF-16", "ncli", "Prism"],
)  # fmt: skip
def test_no_name_is_guessed_of_another_encoding(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "vms").write_bytes(data)
    with pytest.raises(InputError, match=says):
        load(tmp_path / "vms")


@pytest.mark.parametrize("depth", [65, 300, 900])
def test_a_document_that_is_too_deep_is_named(tmp_path: Path, depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    problems = load(write(tmp_path / "vms.json", f'[{{"name": "vm1", "x": {deep}}}]')).problems
    assert [(p.row, p.column, p.message) for p in problems] == [
        (1, "x", "is nested more than 64 deep")
    ]
