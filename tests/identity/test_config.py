# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngtpatch.errors import InputError, UsageError
from ngtpatch.identity.config import Config, minimal, parse_sets, problems

PUBLISHED = (
    b'{"cluster_ip": "192.168.7.7", "ngt_uuid": "d4de685b-791a-4fbc-b916-6d5008bcbe2d", '
    b'"ngt_version": "2.0.1", "port": 2074}'
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, width=32)
    .filter(lambda f: abs(f) != float("inf")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def test_untouched_means_the_same_bytes() -> None:
    odd = b'\n{ "z" : 1.50 ,\t"a":"\\u00e9",\r\n "port":2074, "n": {"b": [1 ,2]} }\n\n'
    assert Config.parse(odd).with_values({}).encode() == odd
    assert Config.parse(odd).with_values({"port": 2074, "n": {"b": [1, 2]}}).encode() == odd


def test_one_value_changes_and_every_other_character_stays() -> None:
    odd = '{ "z" : 1.50 ,\t"a":"\\u00e9",\r\n "port":2074, "n": {"port": 1e3} }'
    assert (
        Config.parse(odd.encode()).with_values({"port": 9440}).text
        == '{ "z" : 1.50 ,\t"a":"\\u00e9",\r\n "port":9440, "n": {"port": 1e3} }'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{"k": 1}'),
        ("{ }", '{"k": 1 }'),
        ('{"a": 1}', '{"a": 1,"k": 1}'),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2, "k": 1}'),
        ('{\n  "a": 1,\n  "b": 2\n}\n', '{\n  "a": 1,\n  "b": 2,\n  "k": 1\n}\n'),
        ('{\n  "a": 1\n}', '{\n  "a": 1,\n  "k": 1\n}'),
    ],
)
def test_a_new_key_goes_last_in_the_neighbours_style(before: str, after: str) -> None:
    assert Config.parse(before.encode()).with_values({"k": 1}).text == after.replace(
        '1,"k"', '1, "k"'
    )


@given(
    st.dictionaries(st.text(), json_values, max_size=5),
    st.text(),
    json_values,
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_put_equals_a_dictionary_update(
    values: dict[str, Any], key: str, value: Any, indent: Any, ascii_only: bool
) -> None:
    try:
        text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:  # lone surrogates cannot stand in UTF-8
        return
    result = Config.parse(text).with_values({key: value})
    expected = {**values, key: value}
    again = json.loads(result.encode())
    assert again == expected
    assert list(again) == list(expected)
    assert [type(v) for v in again.values()] == [type(v) for v in expected.values()]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "line 1, column 1"),
        (b"[1]", "a JSON list"),
        (b'{"a": 1', "is not JSON"),
        (b'{"a": 1, "a": 2}', "'a' occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not JSON that can be used"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON that can be used"),
        (b" " * (1 << 20) + b"{}", "bytes long"),
    ],
)
def test_what_cannot_be_used_is_one_error_with_the_file(data: bytes, what: str) -> None:
    with pytest.raises(InputError, match="here") as caught:
        Config.parse(data, path="here.json")
    assert caught.value.code == "config-json"
    assert what in caught.value.message


def test_the_published_sample_is_right() -> None:
    assert problems(Config.parse(PUBLISHED), source="vm") == ()


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("cluster_ip", "192.168.XXX.YYY", "config-cluster-ip"),
        ("cluster_ip", 5, "config-cluster-ip"),
        ("ngt_uuid", "d4de685b791a4fbcb9166d5008bcbe2d", "config-ngt-uuid"),
        ("ngt_uuid", None, "config-ngt-uuid"),
        ("ngt_version", "", "config-ngt-version"),
        ("ngt_version", 2.0, "config-ngt-version"),
        ("port", "2074", "config-port"),
        ("port", True, "config-port"),
        ("port", 0, "config-port"),
        ("port", 65536, "config-port"),
        ("port", 2074.0, "config-port"),
    ],
)
def test_a_bad_value_is_named(key: str, value: Any, code: str) -> None:
    (found,) = problems(Config.parse(PUBLISHED).with_values({key: value}), source="vm")
    assert found.code == code
    assert key in found.message


@pytest.mark.parametrize("ip", ["10.0.0.1", "fd00::7"])
def test_both_families_of_addresses(ip: str) -> None:
    assert problems(Config.parse(PUBLISHED).with_values({"cluster_ip": ip}), source="vm") == ()


def test_every_missing_key_is_named_unless_it_may_be() -> None:
    assert {f.code for f in problems(Config.parse(b"{}"), source="vm")} == {
        "config-cluster-ip", "config-ngt-uuid", "config-ngt-version", "config-port",
    }  # fmt: skip
    assert problems(minimal("2.0.1"), source="iso", required={"ngt_version"}) == ()


def test_set_takes_the_type_that_is_there() -> None:
    config = Config.parse(b'{"port": 1, "flag": true, "name": "x", "list": [1]}')
    sets = parse_sets(["port=2074", "flag=false", "name=12", "list=[2]", "new=3", "ngt_version=2"])
    assert config.coerced(sets) == {
        "port": 2074, "flag": False, "name": "12", "list": [2], "new": 3, "ngt_version": "2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "assignment", ["port=ssh", "port=-1", "port=1.5", "port=", "flag=1", "list=x"]
)
def test_set_refuses_another_type(assignment: str) -> None:
    config = Config.parse(b'{"port": 1, "flag": true, "list": [1]}')
    with pytest.raises(UsageError) as caught:
        config.coerced(parse_sets([assignment]))
    assert caught.value.code == "set-type"


@pytest.mark.parametrize("assignments", [["port"], ["=1"], ["a=1", "a=2"]])
def test_set_needs_distinct_keys_with_values(assignments: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_sets(assignments)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "gone": {"x": [1, 2]}, "b": 2}',
        '{"gone": 1, "a": 1}',
        '{"a": 1, "gone": "}"}',
        '{"gone": null}',
        '{\n    "a": 1,\n    "gone": 2,\n    "b": 3\n}\n',
        '{"a": 1}',
    ],
)
def test_a_member_is_taken_out_and_the_others_stay(text: str) -> None:
    config = Config.parse(text.encode())
    left = config.without("gone")
    wanted = {key: value for key, value in json.loads(text).items() if key != "gone"}
    assert json.loads(left.text) == wanted
    assert list(left.values) == list(wanted)
    if "gone" not in text:
        assert left.text == text
