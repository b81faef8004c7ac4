import json
from pathlib import Path

import pytest

from dlatlas.declare.reference import FILES, schema

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", FILES)
def test_the_reference_is_what_the_schema_says(name):
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name](), "run `python -m dlatlas.declare.reference`"


def test_the_schema_refuses_unknown_keys():
    tree = json.loads(schema())
    assert tree["additionalProperties"] is False
    assert tree["$defs"]["Scale"]["additionalProperties"] is False
