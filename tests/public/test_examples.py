"""Every example runs as it stands, without a key."""

import sys

import pytest

from tests.public.processes import LOOPBACK_ONLY, ROOT, run

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
_GUARDED = LOOPBACK_ONLY[2].partition("from flyllm.cli")[0]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_without_a_key_and_stays_on_this_machine(path):
    script = f"{_GUARDED}\nimport runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    done = run(sys.executable, "-W", "error", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_are_examples():
    assert len(EXAMPLES) >= 4
