"""The Ray Serve application: the deployments, bound together. `build` is what profiles import.

gateway ─► Perception ◄─┐ (pictures, where a model encodes them)
   │  └──► Memory ──────┘ ◄── Reasoning
   └─────► Reasoning

With the setting `memory_readers`, both read from MemoryReader instead, which follows the store.
"""

from __future__ import annotations

from typing import Any

from ray.serve import Application

from serve.deployments import MemoryDeployment, PerceptionDeployment, ReasoningDeployment
from serve.gateway import Extension
from serve.gateway_deployment import GatewayDeployment
from serve.reading import MemoryReaderDeployment
from serve.settings import Settings, load_deployed, read_profile, require_token

REFUSED_AT_ONCE = 64  # requests; with them come the probes, which are never refused


def build(args: dict[str, Any] | Settings, extend: Extension | None = None) -> Application:
    """The application of a profile; `extend` adds to its gateway. `args` are settings, or a profile's
    share of them; replicas and GPU shares are the profile's (`serve deploy` applies those of the file
    it was given on top).

    Raises BadSettings, TokenNeeded among them: a cluster asks nobody else.
    """
    settings = args if isinstance(args, Settings) else load_deployed(args)
    require_token(settings)
    plain = settings.plain()
    options = {
        entry["name"]: {key: value for key, value in entry.items() if key != "name"}
        for entry in read_profile(settings.profile)["applications"][0].get("deployments", [])
    }

    def sized(deployment: Any, **limits: Any) -> Any:
        return deployment.options(**{**limits, **options.get(deployment.name, {})})

    perception = sized(PerceptionDeployment, max_queued_requests=settings.perception_queue)
    seeing = perception.bind(plain)
    reasoning = sized(ReasoningDeployment, max_queued_requests=settings.answer_queue)
    encodes = None if settings.picture_model is None else seeing
    memory = sized(MemoryDeployment, max_queued_requests=settings.memory_queue).bind(plain, encodes)
    readers = None
    if settings.memory_readers:
        limits = {"max_queued_requests": settings.memory_queue}
        reader = sized(MemoryReaderDeployment, num_replicas=settings.memory_readers, **limits)
        readers = reader.bind(plain)
    # The gateway refuses in words what is beyond its setting; Ray must let that much through.
    gateway = sized(
        GatewayDeployment,
        max_ongoing_requests=settings.http_requests + REFUSED_AT_ONCE,
        max_queued_requests=settings.http_requests,
    )
    application: Application = gateway.bind(
        plain,
        seeing,
        memory,
        reasoning.bind(plain, memory, readers),
        extend,
        readers,
    )
    return application
