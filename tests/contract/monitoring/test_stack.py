"""The stack as files: what Docker would mount and Grafana would provision. Docker itself is not run here."""

import re
from typing import Any

import pytest

from tests.contract.monitoring import files

PROVISIONING = files.MONITORING / "grafana/provisioning"


def compose() -> Any:
    return files.load(files.MONITORING / "docker-compose.yml")


def mounts(service: str) -> dict[str, tuple[str, str]]:
    """Return what a service has mounted: by the path inside the source and the mode."""
    found = [volume.split(":") for volume in compose()["services"][service]["volumes"]]
    return {inside: (source, mode[0] if mode else "") for source, inside, *mode in found}


def test_all_that_is_mounted_is_there_and_read_only() -> None:
    """Or it is a volume that the file declares."""
    for service in ("prometheus", "grafana"):
        for source, mode in mounts(service).values():
            if source.startswith("."):
                assert (files.MONITORING / source).exists(), source
                assert mode == "ro"
            else:
                assert source in compose()["volumes"]


def test_images_have_versions() -> None:
    """What worked yesterday works tomorrow."""
    for service in compose()["services"].values():
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", service["image"])


def test_ports_are_the_originals_and_open_to_this_machine_only() -> None:
    """Prometheus has no password, Grafana a known one at first."""
    ports = {name: service["ports"] for name, service in compose()["services"].items()}
    assert ports == {"prometheus": ["127.0.0.1:9091:9090"], "grafana": ["127.0.0.1:3000:3000"]}


def test_nobody_is_let_into_grafana_without_a_name() -> None:
    """Neither by visiting nor by signing up."""
    environment = compose()["services"]["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == environment["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_prometheus_finds_its_configuration_and_rules() -> None:
    """The paths inside the container are those that the command and the configuration name."""
    inside = mounts("prometheus")
    assert inside["/etc/prometheus/prometheus.yml"][0] == "./prometheus.yml"
    assert "--config.file=/etc/prometheus/prometheus.yml" in compose()["services"]["prometheus"]["command"]
    config = files.load(files.MONITORING / "prometheus.yml")
    found = [path for pattern in config["rule_files"] for path in files.MONITORING.glob(pattern)]
    assert sorted(found) == files.RULES
    assert inside["/etc/prometheus/rules"][0] == "./rules"


def test_prometheus_scrapes_the_host() -> None:
    """The default port of start_metrics_server, with the labels as the application gave them."""
    (job,) = files.load(files.MONITORING / "prometheus.yml")["scrape_configs"]
    assert job["static_configs"][0]["targets"] == ["host.docker.internal:9090"]
    assert job["honor_labels"] is True
    assert compose()["services"]["prometheus"]["extra_hosts"] == ["host.docker.internal:host-gateway"]


def test_grafana_is_given_the_dashboard_that_flyllm_serves() -> None:
    """The file itself, no copy, where the provider looks for it."""
    (provider,) = files.load(PROVISIONING / "dashboards/flyllm.yml")["providers"]
    assert provider["type"] == "file"
    inside = mounts("grafana")
    source, _ = inside[f"{provider['options']['path']}/flyllm.json"]
    assert (files.MONITORING / source).resolve() == files.DASHBOARD
    assert inside["/etc/grafana/provisioning"][0] == "./grafana/provisioning"


def test_grafana_is_given_prometheus() -> None:
    """As the default, under the service's name, with the interval that it scrapes at."""
    (source,) = files.load(PROVISIONING / "datasources/prometheus.yml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    config = files.load(files.MONITORING / "prometheus.yml")
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


@pytest.mark.parametrize("path", sorted(files.MONITORING.rglob("*.yml")), ids=lambda path: path.name)
def test_every_file_is_yaml(path: Any) -> None:
    """And not empty."""
    assert files.load(path)


def test_every_alert_says_what_to_do() -> None:
    """Summary, meaning and action, and how bad it is."""
    for rule in files.rules("alert"):
        assert set(rule["annotations"]) == {"summary", "description", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["for"]


def test_the_readme_explains_every_alert() -> None:
    """By its name."""
    text = (files.MONITORING / "README.md").read_text()
    assert [rule["alert"] for rule in files.rules("alert") if f"`{rule['alert']}`" not in text] == []
