"""The configuration that a command uses, and whether it knows the task that the command line names."""

from pathlib import Path

from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_file
from flyllm.config.wording import hint
from flyllm.errors import ConfigError

USUAL = Path("flyllm.toml")


def configuration(path: Path | None, task: str | None = None) -> ManagerConfig:
    """Read the configuration at `path`, in the current folder where None. Raises ConfigError."""
    if path is None and not USUAL.exists():
        raise ConfigError(
            f"No configuration: there is no {USUAL} in the current folder; name one with --config\n"
            f"  → Write one for the keys in your environment: flyllm init"
        )
    config = config_from_file(path or USUAL)
    served = sorted({name for instance in config.instances if instance.enabled for name in instance.tasks})
    if task is not None and task not in served:
        known = ", ".join(served) or "none"
        raise ConfigError(f"No enabled instance serves the task '{task}'{hint(task, served)}\n  → Tasks: {known}")
    return config
