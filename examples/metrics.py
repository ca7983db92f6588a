"""Prometheus metrics of a batch, on a port of their own. Runs on simulated providers."""

from urllib.request import urlopen

from flyllm import LLMManager, start_metrics_server
from flyllm.testing import ErrorKind, ProviderSimulator

SHOWN = ("llm_requests_total", "llm_attempts_total", "llm_failovers_total", "llm_cost_total", "llm_provider_healthy")


def main() -> None:
    with ProviderSimulator(seed=1) as simulator:
        simulator["openai"].set(error_rate=0.2, error=ErrorKind.OVERLOADED)
        builder = LLMManager.builder().metrics()
        for provider, model in (("openai", "gpt-4o-mini"), ("mistral", "mistral-small")):
            builder.add_instance(provider, model, "simulated", name=provider, input_cost=0.15, output_cost=0.6)
            builder.custom_endpoint(simulator.url(provider))

        # In a real program 9090, where Prometheus looks; 0 takes a free port.
        with builder.build() as manager, start_metrics_server(0) as server:
            manager.batch_generate([f"Question {n}" for n in range(40)])
            with urlopen(f"{server.url}/metrics") as page:  # noqa: S310
                lines = page.read().decode().splitlines()

    print("\n".join(line for line in lines if line.startswith(SHOWN)))


if __name__ == "__main__":
    main()
