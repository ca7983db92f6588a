"""One manager over two providers. One whose key is not in the environment is simulated."""

import os

from flyllm import LLMError, LLMManager
from flyllm.testing import ProviderSimulator


def main() -> None:
    openai_key = os.environ.get("OPENAI_API_KEY", "")
    anthropic_key = os.environ.get("ANTHROPIC_API_KEY", "")
    with ProviderSimulator() as simulator:
        builder = LLMManager.builder()
        builder.add_instance("openai", "gpt-4o-mini", openai_key or "simulated")
        if not openai_key:
            builder.custom_endpoint(simulator.url("openai"))
        builder.add_instance("anthropic", "claude-haiku-4-5", anthropic_key or "simulated")
        if not anthropic_key:
            builder.custom_endpoint(simulator.url("anthropic"))

        with builder.max_retries(3).build() as manager:
            try:
                response = manager.generate("Why is the sky blue? One sentence.", max_tokens=100)
            except LLMError as error:
                raise SystemExit(f"{type(error).__name__} after {len(error.attempts)} attempts: {error}") from error
            print(response.content)
            print(f"{response.instance_name}: {response.usage.total_tokens} tokens in {response.duration:.2f} s")


if __name__ == "__main__":
    main()
