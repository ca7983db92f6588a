"""`${VAR}` in any string, and no value of a variable in any message."""

import pytest

from flyllm.config.environment import EnvironmentText, Unresolved, expand, is_unresolved, plain
from flyllm.config.toml_file import config_from_toml
from flyllm.errors import ConfigError

CANARY = "canary-2f61c0-value"


def expanded(text, **environ):
    faults = []
    value = expand(text, environ, faults, ("providers", 0, "api_key"))
    assert not faults
    return plain(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${KEY}", "k"),
        ("a-${KEY}-${KEY}", "a-k-k"),
        ("${KEY:-other}", "k"),
        ("${UNSET:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-http://h:1/v1}", "http://h:1/v1"),
        ("${EMPTY}", ""),
        ("$${KEY}", "${KEY}"),
        ("$KEY {KEY}", "$KEY {KEY}"),
    ],
)
def test_references_are_replaced_as_in_a_shell(text, value):
    assert expanded(text, KEY="k", EMPTY="") == value


def test_a_value_is_not_expanded_again():
    assert expanded("${KEY}", KEY="${OTHER}", OTHER="x") == "${OTHER}"


def test_references_work_in_every_string_at_any_depth():
    document = {"a": [{"b": ["${KEY}"]}], "c": {"d": "${KEY}"}, "e": 1, "f": None}
    assert expand(document, {"KEY": "k"}, []) == {"a": [{"b": ["k"]}], "c": {"d": "k"}, "e": 1, "f": None}


def test_a_missing_variable_names_itself_its_place_and_the_remedy():
    faults = []
    value = expand({"providers": [{"api_key": "${NO_KEY}"}]}, {}, faults)
    assert faults == [
        "Environment variable 'NO_KEY' not found\n"
        "  → Referenced in providers[0].api_key\n"
        '  → Set it with: export NO_KEY="your-key"'
    ]
    assert is_unresolved(value["providers"][0]["api_key"])


@pytest.mark.parametrize("text", ["${NO-KEY}", "${}", "${ KEY }", "${KEY-other}", "${SCHLÜSSEL}", "${\ud800}"])
def test_a_malformed_name_is_a_missing_variable_not_a_literal(text):
    faults = []
    expand(text, {"KEY": "k"}, faults)
    assert len(faults) == 1
    assert "not found" in faults[0]


def test_an_unclosed_reference_is_a_fault():
    faults = []
    expand({"settings": {"debug_folder": "${KEY"}}, {"KEY": "k"}, faults)
    assert faults == ["Unclosed '${' in settings.debug_folder\n  → Write ${NAME}, or $${ for these two characters"]


def test_every_missing_variable_of_a_string_is_named():
    faults = []
    expand("${A}/${B}/${C:-c}", {}, faults)
    assert [fault.splitlines()[0] for fault in faults] == [
        "Environment variable 'A' not found",
        "Environment variable 'B' not found",
    ]


def test_nesting_without_an_end_is_one_fault():
    endless = {}
    endless["again"] = endless
    faults = []
    expand(endless, {}, faults)
    assert faults == ["again.again.again is nested deeper than 60 levels"]


def test_a_filled_in_text_never_prints_its_value():
    text = EnvironmentText(CANARY, "${X}")
    assert text == CANARY
    for printed in (
        f"{text}",
        f"{text!r}",
        f"{text:>9}",
        str(text),
        repr(text),
        "%s" % text,  # noqa: UP031
        "{}".format(text),  # noqa: UP032
        repr([text]),
    ):
        assert CANARY not in printed
        assert "${X}" in printed


def test_plain_gives_the_value_as_an_ordinary_string():
    assert plain(EnvironmentText("v", "${X}")) == "v"
    assert type(plain(EnvironmentText("v", "${X}"))) is str


def test_unresolved_is_seen_inside_lists():
    assert is_unresolved(["a", Unresolved("${X}", "${X}")])
    assert not is_unresolved(["a", EnvironmentText("b", "${X}")])
    assert not is_unresolved("${X}")


@pytest.mark.parametrize(
    "line",
    [
        'type = "${X}"\nmodel = "m"',
        'type = "openai"\nmodel = "m"\nenabled = "${X}"',
        'type = "openai"\nmodel = "m"\ntasks = ["${X}"]',
        'type = "openai"\nmodel = "m"\napi = "${X}"',
        'type = "openai"\nmodel = "m"\nendpoint = "ftp://${X}"',
        'type = "openai"\nmodel = "m"\nendpoint = "http://h:${X}"',
        'type = "openai"\nmodel = "m"\nendpoint = "http://${X}/?a=b"',
        'type = "openai"\nmodel = "m"\napi_key_file = "/nowhere/${X}"',
        'type = "openai"\nmodel = "${X}"\ntasks = ["nobody"]',
        'type = "openai"\nmodel = "m"\nname = "${X}"\ntasks = ["nobody"]',
        'type = "openai"\nmodel = "m"\nheaders = {A = "${X}\\n"}\nparams = {b = [nan, "${X}"]}',
        'type = "openai"\nmodel = "m"\napi_key = "${X} ${X}"',
        'type = "openai"\nmodel = "m"\nname = "${X}"\n[[providers]]\ntype = "groq"\nmodel = "m"\nname = "${X}"',
    ],
)
def test_no_fault_prints_the_value_of_a_variable(line):
    settings = '[settings]\nstrategy = "${X}"\nunsupported_params = "${X}"\n'
    text = f'{settings}[[tasks]]\nname = "${{X}}"\n[[providers]]\n{line}'
    with pytest.raises(ConfigError) as caught:
        config_from_toml(text, environ={"X": CANARY})
    assert CANARY not in f"{caught.value} {caught.value.faults} {caught.value!r}"


def test_a_missing_variable_causes_no_second_fault(faults):
    found = faults(
        """
        [settings]
        strategy = "${A}"
        unsupported_params = "${A}"
        [[tasks]]
        name = "chat"
        [[providers]]
        type = "${A}"
        model = "${A}"
        api_key = "${A}"
        endpoint = "${A}"
        api = "${A}"
        tasks = ["chat", "${A}"]
        [[providers]]
        type = "openai"
        model = "gpt-4"
        api_key_file = "${A}"
        """
    )
    assert len(found) == 9
    assert all(fault.startswith("Environment variable 'A' not found") for fault in found)


def test_values_behind_the_validation_are_ordinary_strings():
    config = config_from_toml(
        """
        [settings]
        strategy = "${LRU}"
        debug_folder = "${X}"
        [[tasks]]
        name = "${X}"
        stop = ["${X}"]
        [[providers]]
        type = "${OPENAI}"
        model = "${X}"
        api_key = "${X}"
        name = "${X}"
        endpoint = "${X}"
        api = "${RESPONSES}"
        tasks = ["${X}"]
        params = { a = { b = ["${X}"] } }
        headers = { A = "${X}" }
        """,
        environ={"X": "x", "LRU": "lru", "OPENAI": "openai", "RESPONSES": "responses"},
    )
    (task,), (instance,) = config.tasks, config.instances
    texts = [
        config.strategy,
        config.debug_folder,
        task.name,
        *task.params["stop"],
        instance.provider,
        instance.model,
        instance.api_key.reveal(),
        instance.name,
        instance.endpoint,
        instance.api,
        *instance.tasks,
        *instance.params["a"]["b"],
        *instance.headers.values(),
    ]
    assert {type(text) for text in texts} == {str}
    assert set(texts) == {"x", "lru", "openai", "responses"}
