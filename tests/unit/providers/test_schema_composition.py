"""References, compositions and tuples of JSON schemas in dialects that have none or other ones."""

from tests.unit.providers.schema_forms import TREE, field, of


def test_a_reference_with_something_beside_it_becomes_what_it_refers_to() -> None:
    """As in OpenAI's own SDK; what stands beside it wins."""
    leaf = {"type": "string", "description": "A leaf.", "title": "Leaf"}
    made, _ = field("OPENAI", {"$ref": "#/$defs/Leaf", "description": "Mine."}, **{"$defs": {"Leaf": leaf}})
    assert made == {**leaf, "description": "Mine."}
    made, _ = field("OPENAI", {"$ref": "#/$defs/Leaf"}, **{"$defs": {"Leaf": leaf}})
    assert made == {"$ref": "#/$defs/Leaf"}


def test_a_reference_into_a_circle_keeps_its_description_beside_it() -> None:
    """An `anyOf` of one may have what a reference may not."""
    tree = {"type": "object", "properties": {"up": {"$ref": "#/$defs/T", "description": "Above."}}}
    made = of("OPENAI", {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}, "$defs": {"T": tree}})
    inner = made.response_format["json_schema"]["schema"]["$defs"]["T"]["properties"]["up"]
    assert inner == {"description": "Above.", "anyOf": [{"$ref": "#/$defs/T"}]}


def test_references_to_anywhere_become_definitions() -> None:
    """To the whole schema, into properties, to `definitions`; one that leads out is told only."""
    schema = {
        "type": "object",
        "properties": {
            "whole": {"$ref": "#"},
            "same": {"$ref": "#/properties/name"},
            "old": {"$ref": "#/definitions/Old"},
            "name": {"type": "string"},
            "other": {"$ref": "https://example.com/schema", "type": "string"},
        },
        "definitions": {"Old": {"type": "boolean"}},
    }
    made = of("LLAMA", schema)
    written = made.response_format["json_schema"]["schema"]
    assert written["properties"]["whole"] == {"$ref": "#/$defs/Root"}
    assert written["properties"]["same"] == {"$ref": "#/$defs/name"}
    assert written["properties"]["old"] == {"$ref": "#/$defs/Old"}
    assert written["properties"]["other"]["description"] == '{$ref: "https://example.com/schema"}'
    assert set(written["$defs"]) == {"Root", "name", "Old"}
    assert made.changes == ("$ref of $.other: said in the description", "$ref of Root.other: said in the description")


def test_all_of_is_merged_one_of_is_any_of() -> None:
    """The stricter bound wins; what contradicts is told."""
    node = {"allOf": [{"type": "number", "minimum": 1}, {"type": "integer", "minimum": 3, "maximum": 9}]}
    assert field("OPENAI", node) == ({"type": "integer", "minimum": 3, "maximum": 9}, ())
    assert field("OPENAI", {"oneOf": [{"type": "string"}, {"type": "null"}]})[0] == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    made, changes = field("OPENAI", {"type": "string", "allOf": [{"pattern": "a"}, {"pattern": "b"}]})
    assert made == {"type": "string", "pattern": "a", "description": '{allOf: [{"pattern": "b"}]}'}
    assert changes == ("allOf of $.it: said in the description",)


def test_what_stands_beside_alternatives_goes_into_them() -> None:
    """Or else they are told."""
    node = {"maxLength": 3, "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "minLength": 1}]}
    assert field("OPENAI", node)[0] == {
        "anyOf": [
            {"type": "string", "format": "date", "maxLength": 3},
            {"type": "string", "minLength": 1, "maxLength": 3},
        ]
    }
    root = {"type": "object", "properties": {"a": {"type": "null"}}, "anyOf": [{"required": ["a"]}]}
    assert of("OPENAI", root).changes == ("anyOf of $: said in the description",)


def test_a_tuple_is_a_list_of_what_it_has() -> None:
    """The order is told, where there are no tuples."""
    node = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}
    made, changes = field("OPENAI", node)
    assert (made["items"], made["maxItems"]) == ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 2)
    assert changes == ("the order of items of $.it: said in the description",)
    assert field("GOOGLE", node)[0]["prefixItems"] == node["prefixItems"]


def test_values_are_of_types_that_are_taken() -> None:
    """Google: strings and numbers, null beside them; Anthropic: nothing that has parts."""
    assert field("GOOGLE", {"enum": ["a", None]})[0] == {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}
    assert field("GOOGLE", {"const": "a"})[0] == {"type": "string", "enum": ["a"]}
    assert field("GOOGLE", {"const": True})[0] == {"type": "boolean", "description": "{enum: [true]}"}
    made, changes = field("ANTHROPIC", {"enum": [[1], "a"]})
    assert made["description"] == '{enum: [[1], "a"]}'
    assert changes[0] == "enum of $.it: said in the description"


def test_lists_of_types_become_alternatives_for_local_servers() -> None:
    """Each with what belongs to its type."""
    node = {"type": ["string", "integer"], "minLength": 1, "minimum": 2, "title": "It"}
    assert field("LLAMA", node)[0] == {
        "title": "It",
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 2}],
    }


def test_a_schema_that_refers_to_itself_is_written_out_where_it_must_be() -> None:
    """Level by level, the last one without more; the user is told once, whatever is left out in each."""
    made = of("ANTHROPIC", TREE)
    written = made.response_format["json_schema"]["schema"]["$defs"]
    assert list(written) == ["Tree", "Tree_2", "Tree_3", "Tree_4", "Tree_5"]
    assert written["Tree_4"]["properties"]["left"]["anyOf"][0] == {"$ref": "#/$defs/Tree_5"}
    assert written["Tree_5"]["properties"]["left"] == {"anyOf": [{"type": "null"}]}
    assert made.changes == ("the schema refers to itself: written out to 5 levels",)


def test_what_refers_to_itself_is_optional_at_google() -> None:
    """A property that may be null is not enough there."""
    made = of("GOOGLE", TREE)
    tree = made.response_format["json_schema"]["schema"]["$defs"]["Tree"]
    assert tree["description"] == '{required: ["left"]}'
    assert "required" not in tree
    assert made.changes == ("required of Tree: said in the description",)
