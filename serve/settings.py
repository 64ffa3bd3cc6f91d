"""Every setting, once. Each is an environment variable `LOOKBACK_<NAME>` and a key of the profile.

A profile is the Ray Serve config that also deploys onto a cluster (`serve/profiles/*.yaml`): its
application's `args` are settings. Precedence: flag, environment, profile, default.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serve import ice
from serve.errors import BadSettings, TokenNeeded

# What is wrong with these is said without them.
SECRET = frozenset({"token", "ice_servers", "answer_key", "answer_endpoint"})

PROFILES = Path(__file__).parent / "profiles"


class Settings(BaseSettings):
    """What a user can set. Field descriptions are the documentation."""

    model_config = SettingsConfigDict(env_prefix="LOOKBACK_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address the server listens on.")
    port: int = Field(7860, ge=1, le=65535, description="Port the server listens on.")
    store: Path | str = Field(
        Path("~/.local/share/lookback"),
        description="Directory that holds the memory, or s3://bucket/prefix (address and keys as "
        "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION).",
    )
    memory_readers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes that search and read memory beside the one that writes it.",
    )
    profile: str = Field(
        "embedded", description="embedded, gpu-24g, gpu-80g, cluster, or a profile file."
    )
    token: SecretStr | None = Field(
        None, description="Bearer token that every request must carry; needed beyond loopback."
    )
    agent_name: str = Field("Lookback", min_length=1, description="The name the agent answers to.")
    answer_mode: Literal["any", "named", "push"] = Field(
        "any",
        description="What is answered: any question, only when named, only typed or pushed.",
    )
    threads: int = Field(
        default_factory=lambda: min(4, os.cpu_count() or 1),
        ge=1,
        description="Perception calls at work at once, a core each.",
    )
    perception_device: str | None = Field(
        None,
        description="Where perception's hub models run: cuda, cuda:1, cpu. Default: a GPU if any.",
    )
    picture_model: str | None = Field(
        None,
        description="SigLIP or CLIP model by which words find pictures: a hub id "
        "(owner/name@revision) or a folder, say google/siglip2-base-patch16-224. Default: tags.",
    )
    captions: bool = Field(
        False,
        description="Whether keyframes are described by the answering model while nobody waits "
        "for it. Needs one that is shown pictures.",
    )
    rewrite_summaries: bool = Field(
        False,
        description="Whether the answering model puts episodes in its own words while the machine is "
        "idle; only what stands in their quotes is kept. Otherwise summaries are extracts.",
    )
    rewrite_after_seconds: float = Field(
        120,
        gt=0,
        description="Idle is who was asked, given and told nothing for so long.",
    )
    speech_model: str = Field(
        "whisper-base",
        description="Whisper in CTranslate2 form: whisper-base, a hub id or a folder, say "
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo.",
    )
    speech_batch: int = Field(
        1, ge=1, le=64, description="Utterances of recordings recognised at once; 16 on a GPU."
    )
    sound_model: str | None = Field(
        None,
        description="AudioSet classifier: a hub id or a folder, say "
        "MIT/ast-finetuned-audioset-10-10-0.4593. Default: speech, singing and music only.",
    )
    answer_threads: int = Field(
        default_factory=lambda: min(4, os.cpu_count() or 2),
        ge=1,
        description="Threads of the language model for a question; half of them for the answer.",
    )
    perception_gpu_gb: float | None = Field(
        None, gt=0, description="GB of a GPU's memory that perception may take. None: no bound."
    )
    answer_gpu_gb: float | None = Field(
        None, gt=0, description="GB of it for the language model and what it keeps. None: no bound."
    )
    answer_backend: Literal["gguf", "transformers", "endpoint"] = Field(
        "gguf",
        description="What writes answers: a GGUF file on the CPU, a vision-language model on the GPU, "
        "or a server that speaks OpenAI's chat completions.",
    )
    answer_model: str = Field(
        "",
        description="Its model: a path, a hub id with an optional @revision, or the endpoint's name "
        "for it. Default: Qwen2.5-Coder-1.5B, or Qwen/Qwen3-VL-8B-Instruct with transformers.",
    )
    answer_projector: Path | None = Field(
        None, description="A GGUF model's vision projector (mmproj): with it, it is shown pictures."
    )
    answer_four_bit: bool = Field(
        False, description="Load transformers weights in 4 bits; needs bitsandbytes and CUDA."
    )
    answer_rows: int = Field(
        4, ge=1, le=64, description="Answers that a transformers model writes at once; more wait."
    )
    answer_endpoint: str = Field(
        "",
        validate_default=True,
        description="The endpoint's URL as far as /v1. What is asked and shown goes there.",
    )
    answer_key: SecretStr | None = Field(
        None, description="The endpoint's key, sent as a bearer token and never logged."
    )
    answer_first_word_seconds: float = Field(
        2,
        gt=0,
        description="How long a question waits for the model's first word. After it the evidence is "
        "quoted, and the answer says so; a far or busy endpoint needs more.",
    )
    visual_tokens: int = Field(
        4096, ge=0, description="Tokens of pictures put before a model that sees. 0: it reads only."
    )
    text_tokens: int = Field(
        1024, ge=64, description="Tokens of notes put before it (160 for a GGUF file)."
    )
    picture_cache_mb: int = Field(
        1000, ge=0, description="GPU memory for pictures a transformers model has encoded, in MB."
    )
    live_frames: int = Field(
        4, ge=0, description="Frames of now put before a model that sees, within visual_tokens."
    )
    retention_days: float | None = Field(
        None, gt=0, description="Moments older than this many days are forgotten. None: kept."
    )
    budget_mb_per_hour: float = Field(
        10, gt=0, description="What an hour of a stream may take on disk, in MB."
    )
    budget_mb: float | None = Field(
        None, gt=0, description="What all of memory may take on disk, in MB. Default: no bound."
    )
    max_json_mb: float = Field(32, gt=0, description="Largest JSON body, in MB.")
    max_upload_gb: float = Field(16, gt=0, description="Largest recording uploaded, in GB.")
    replays: int = Field(2, ge=1, description="Recordings replayed at once; more wait.")
    answer_queue: int = Field(8, ge=1, description="Questions that may wait; more get 429.")
    perception_queue: int = Field(64, ge=1, description="Perception calls that may wait.")
    memory_queue: int = Field(
        128, ge=1, description="Reads and writes of memory that may wait; more get 429."
    )
    http_requests: int = Field(
        200, ge=1, description="Requests under way at once, event streams included; more get 429."
    )
    object_store_mb: int = Field(
        80, ge=80, description="Ray's shared memory for frames and audio, MB."
    )
    ice_servers: str = Field(
        "",
        description="STUN and TURN servers: URLs separated by commas, or a JSON list of "
        '{"urls", "username", "credential"}. None: no server is asked.',
    )
    ice_host_addresses: str = Field(
        "",
        description="The machine's addresses offered for WebRTC, separated by commas; 127.0.0.1 is "
        "only offered when it is named here. Default: every address but that.",
    )
    ice_relay_only: bool = Field(
        False, description="Offer only relayed addresses: needs a TURN server."
    )
    live_sessions: int = Field(8, ge=1, description="Live sessions at once; more get 503.")
    idle_seconds: float = Field(
        30,
        gt=0,
        description="A live session that sends nothing, or never connects, ends after this.",
    )
    live_frames_per_second: float = Field(
        2, ge=1, le=15, description="Frames looked at each second of a live stream, at most."
    )
    endpoint_seconds: float = Field(
        0.7,
        ge=0.2,
        le=3,
        description="Silence that ends what somebody says, when it does not sound finished.",
    )
    endpoint_finished_seconds: float = Field(
        0.45, ge=0.2, le=3, description="Silence that ends it when it does. Shorter answers sooner."
    )
    voice: bool = Field(True, description="Whether answers are also spoken.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="What the server logs. Transcripts are never logged."
    )

    @field_validator("token", "answer_key")
    @classmethod
    def _not_empty(cls, value: SecretStr | None) -> SecretStr | None:
        """An empty one, as an unset variable gives, is none: it must not open the server."""
        if value is None or not value.get_secret_value().strip():
            return None
        return SecretStr(value.get_secret_value().strip())

    @field_validator("answer_endpoint")
    @classmethod
    def _whole(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("answer_backend") == "endpoint":
            if not value.startswith(("http://", "https://")):
                raise ValueError("answers from an endpoint need its URL, like http://host:8000/v1")
            if not info.data.get("answer_model"):
                raise ValueError("answers from an endpoint need answer_model, its name for a model")
        return value

    @field_validator("store", mode="before")
    @classmethod
    def _place(cls, value: object) -> object:
        """A path is made whole; on the command line `s3://` comes as a path, one slash short."""
        text = str(value)
        if text.startswith("s3:/"):
            address = "s3://" + text.removeprefix("s3:").strip("/")
            if len(address) < len("s3://abc"):
                raise ValueError("s3://bucket/prefix")
            return address
        return Path(text).expanduser().resolve() if isinstance(value, Path | str) else value

    @field_validator("ice_servers")
    @classmethod
    def _readable(cls, value: str) -> str:
        ice.read(value)
        return value

    @property
    def local(self) -> Path:
        """The folder for what belongs to this machine: uploads, where the server runs. It is the
        store itself, unless that lies elsewhere."""
        if isinstance(self.store, Path):
            return self.store
        name = hashlib.sha256(self.store.encode()).hexdigest()[:16]
        return Path("~/.local/share/lookback-remote").expanduser() / name

    @property
    def frames_shown(self) -> int:
        """Live frames that a question takes along: none to a model that only reads."""
        sees = self.answer_backend != "gguf" or self.answer_projector is not None
        return self.live_frames if sees and self.visual_tokens else 0

    @property
    def on_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def plain(self) -> dict[str, Any]:
        """The settings as JSON, secrets in clear: what a deployment is built from."""
        fields = self.model_dump(mode="json")
        for name, secret in (("token", self.token), ("answer_key", self.answer_key)):
            fields[name] = secret.get_secret_value() if secret else None
        return fields


def load(**flags: Any) -> Settings:
    """Settings from flags (None: not given), the environment, the profile and the defaults.

    Raises BadSettings with one line that names the setting.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    name = given.get("profile") or os.environ.get("LOOKBACK_PROFILE") or "embedded"
    beneath = _unless_in_environment(profile_args(name))
    try:
        return Settings(**{**beneath, **given, "profile": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        said = f"{where}: {first['msg'].removeprefix('Value error, ')}"
        got = "" if where in SECRET else f" (got {first.get('input')!r})"
        raise BadSettings(said + got) from error


def load_deployed(args: dict[str, Any]) -> Settings:
    """Settings from the `args` of an application that `serve deploy` was given: the environment of
    the cluster's nodes goes before them, as before any profile. Raises BadSettings."""
    return load(**{**_unless_in_environment(args), "profile": args.get("profile")})


def _unless_in_environment(args: dict[str, Any]) -> dict[str, Any]:
    return {k: value for k, value in args.items() if f"LOOKBACK_{k.upper()}" not in os.environ}


def require_token(settings: Settings) -> None:
    """Raises TokenNeeded if other machines could ask without one."""
    if not settings.on_loopback and settings.token is None:
        raise TokenNeeded(settings.host)


def profile_args(name: str) -> dict[str, Any]:
    """The settings a profile sets."""
    return dict(read_profile(name)["applications"][0].get("args") or {})


def read_profile(name: str) -> dict[str, Any]:
    """The Ray Serve config of a profile, by name or by file."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else PROFILES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise BadSettings(f"profile {name!r} is neither a file nor one of: {known}")
    try:
        config = yaml.safe_load(path.read_text())
        config["applications"][0]["import_path"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError, UnicodeDecodeError) as error:
        raise BadSettings(f"profile {path} is not a Ray Serve config: {error}") from error
    return dict(config)
