"""All benches one after the other: `python -m benchmarks [--quick] [--peers PYTHON] [bench ...]`, or `make bench`.

Each writes its figures to `build/bench/<bench>.json`; `python -m benchmarks.page` puts them into docs/benchmarks.md.
"""

import argparse
import subprocess
import sys
import time

from benchmarks.page.__main__ import ROOT
from benchmarks.page.sections import SECTIONS


def main() -> int:
    """Run the benches; return how many did not come to their end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("bench", nargs="*", choices=[*SECTIONS, []], metavar="bench", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="less of everything: to see that all of them run")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with litellm and any-llm-sdk[openai]")
    options = parser.parse_args()
    broken = 0
    for name in options.bench or list(SECTIONS):
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(ROOT / "build" / "bench" / f"{name}.json")]
        command += ["--quick"] if options.quick else []
        command += ["--peers", options.peers] if options.peers and name == "calls" else []
        print(f"\n=== {name}\n", flush=True)
        began = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603
        print(f"\n{name}: {time.monotonic() - began:.0f} s" + (f", ended with code {code}" if code else ""), flush=True)
        broken += bool(code)
    return broken


if __name__ == "__main__":
    sys.exit(main())
