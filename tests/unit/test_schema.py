"""The JSON schemas and the parsers agree.

The C tests feed the same files to the parsers. Files named parser-* hold what a schema
cannot see: text that is no JSON, duplicate keys, bounds between two values.
"""

import json
import pathlib

import pytest

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCHEMAS = {
    "policy": ROOT / "policy" / "policy.schema.json",
    "config": ROOT / "policy" / "config.schema.json",
}
INSTALLED = [("policy", ROOT / "policy" / "policy.json"), ("config", ROOT / "init" / "igdward.json")]


def files(verdict):
    return [
        pytest.param(kind, path, id=f"{kind}-{path.stem}")
        for kind in SCHEMAS
        for path in sorted((HERE / f"{kind}_files" / verdict).glob("*.json"))
        if not path.name.startswith("parser-")
    ]


def validator(kind):
    schema = json.loads(SCHEMAS[kind].read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_is_a_schema(kind):
    jsonschema.Draft202012Validator.check_schema(
        json.loads(SCHEMAS[kind].read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("kind, path", files("good"))
def test_good(kind, path):
    validator(kind).validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind, path", files("bad"))
def test_bad(kind, path):
    assert not validator(kind).is_valid(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind, path", INSTALLED)
def test_installed(kind, path):
    validator(kind).validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_is_described(kind):
    """Whoever opens the schema in an editor finds what a key means and what it is without."""
    schema = json.loads(SCHEMAS[kind].read_text(encoding="utf-8"))
    for key, value in schema["properties"].items():
        assert "description" in value, key
