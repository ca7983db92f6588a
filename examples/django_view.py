"""An answer passed on to browsers as server-sent events, with Django. Runs on a simulated provider."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import path
from django.views.decorators.http import require_GET

from flyllm import LLMError, LLMManager
from flyllm.sse import CONTENT_TYPE, HEADERS, server_sent_events
from flyllm.testing import ProviderSimulator, cut

# In a project: `manager = LLMManager.from_config_file("flyllm.toml")` in a module of its own.
simulator = ProviderSimulator()
builder = LLMManager.builder().add_instance("openai", "gpt-4o-mini", "simulated")
manager = builder.custom_endpoint(simulator.url("openai")).build()


@require_GET
def answer(request: HttpRequest) -> HttpResponseBase:
    try:
        stream = manager.generate_stream(request.GET["prompt"], timeout=60)
    except LLMError as error:  # nothing was sent yet: the status can still say it
        return HttpResponse(type(error).__name__, status=503)
    return StreamingHttpResponse(server_sent_events(stream), content_type=CONTENT_TYPE, headers=HEADERS)


urlpatterns = (path("answer", answer),)


def main() -> None:
    settings.configure(ROOT_URLCONF=urlpatterns, ALLOWED_HOSTS=["testserver"])
    with simulator, manager:
        simulator["openai"].reply("The lamp turns,\nand nobody sleeps.")
        print(Client().get("/answer", {"prompt": "A line about a lighthouse."}).getvalue().decode())

        simulator["openai"].enqueue(cut(after=4, how="close"))
        print(Client().get("/answer", {"prompt": "A line about a lighthouse."}).getvalue().decode())


if __name__ == "__main__":
    main()
