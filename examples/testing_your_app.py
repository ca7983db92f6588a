"""How an application is tested with the simulator: script failures, then look at what was sent.

In pytest, take the fixture `provider_simulator` instead of the `with` statement.
"""

from flyllm import LLMManager
from flyllm.testing import ProviderSimulator


def translate(manager: LLMManager, text: str) -> str:
    """The application's code, as it runs in production."""
    return manager.generate(f"Translate into French: {text}", temperature=0.0).content


def main() -> None:
    with ProviderSimulator() as simulator:
        builder = LLMManager.builder()
        for provider, model in (("openai", "gpt-4o-mini"), ("mistral", "mistral-large-latest")):
            builder.add_instance(provider, model, "simulated").custom_endpoint(simulator.url(provider))
        with builder.build() as manager:
            simulator["openai"].fail(503, times=None)
            simulator["mistral"].fail(429, retry_after=0.1).then("Bonjour")

            assert translate(manager, "Hello") == "Bonjour"

        (first, second) = simulator["mistral"].requests
        assert first.body == second.body
        assert first.body["temperature"] == 0.0
        print("answered, although openai was down and mistral refused the first time")


if __name__ == "__main__":
    main()
