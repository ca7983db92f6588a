"""A stream, and what is left of one that breaks off. Runs on a simulated provider."""

from flyllm import LLMManager, StreamInterruptedError
from flyllm.testing import ProviderSimulator, cut


def main() -> None:
    with ProviderSimulator() as simulator:
        simulator["openai"].set(reply="The lamp turns, the sea answers, and nobody sleeps.", pace=0.05)
        builder = LLMManager.builder()
        builder.add_instance("openai", "gpt-4o-mini", "simulated").custom_endpoint(simulator.url("openai"))
        with builder.build() as manager:
            with manager.generate_stream("A line about a lighthouse.") as stream:
                for chunk in stream:
                    print(chunk.content, end="", flush=True)
            if stream.response is not None:
                print(f"\n{stream.response.usage.completion_tokens} tokens, {stream.response.finish_reason}")

            simulator["openai"].enqueue(cut(after=4, how="close"))
            try:
                with manager.generate_stream("A line about a lighthouse.") as stream:
                    for _ in stream:
                        pass
            except StreamInterruptedError as error:
                print(f"broke off after {error.partial!r}")


if __name__ == "__main__":
    main()
