"""Tasks decide which instances take a request and with which parameters. Runs on simulated providers."""

from flyllm import GenerationRequest, LLMManager, TaskDefinition
from flyllm.testing import ProviderSimulator


def main() -> None:
    with ProviderSimulator() as simulator:
        builder = (
            LLMManager.builder()
            .define_task(TaskDefinition("summary").with_max_tokens(100).with_temperature(0.2))
            .define_task(TaskDefinition("code").with_max_tokens(800).with_param("top_p", 0.9))
            .add_instance("openai", "gpt-4o-mini", "simulated")
            .supports_many(["summary", "code"])
            .custom_endpoint(simulator.url("openai"))
            .add_instance("cohere", "command-a-03-2025", "simulated")
            .supports("summary")
            .custom_endpoint(simulator.url("cohere"))
        )
        with builder.build() as manager:
            requests = [
                GenerationRequest("Summarize: the harbour opens at six.", task="summary"),
                GenerationRequest("Summarize: the ferry leaves at seven.", task="summary"),
                GenerationRequest("Reverse a list in Python.", task="code", params={"max_tokens": 60}),
            ]
            for response in manager.batch_generate(requests):
                print(f"{response.task}: {response.instance_name}")

        (coded,) = [sent.body for sent in simulator["openai"].requests if sent.body.get("top_p") == 0.9]
        print("code was sent with max tokens", coded["max_completion_tokens"])  # the request's 60 over the task's 800


if __name__ == "__main__":
    main()
