"""The one settings object: environment variables with the prefix ``SLUICE_``, a ``.env`` file, defaults.

The first six names are also accepted with OpenTextShield's prefix ``OTS_``; a ``SLUICE_`` value wins over it.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sluice.config.complaint import complaint
from sluice.config.paths import ROOT
from sluice.config.urls import origin, require_readable, usable

PREFIX = "SLUICE_"
OTS_PREFIX = "OTS_"
OTS_NAMES = (
    "MAX_BATCH_SIZE",
    "BATCH_WAIT_MS",
    "MAX_TEXT_LENGTH",
    "USE_FP16",
    "BATCHING_ENABLED",
    "MBERT_MODEL_PATH",
)
#: Accepted without our prefix too, as Flower's own documentation has them.
FLOWER_NAMES = ("FLOWER_BASIC_AUTH", "FLOWER_BROKER_API")

MODELS = ROOT / "models"
"""The models that come with Sluice, a folder each."""
DEFAULT_MODEL = MODELS / "sms-base"
SMALL_MODEL = MODELS / "sms-mini"

REDIS_SCHEMES = ("redis", "rediss", "redis+socket")
AMQP_SCHEMES = ("amqp", "amqps", "pyamqp")
SOCKET_PATH_LIMIT = 100  # bytes; Linux allows 107 in sun_path, redis-server's own temporary name needs some

DEVICE = r"^(auto|cpu|cuda(:\d+)?)$"
Batching = Literal["dynamic", "static", "none"]
Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]
VerdictPolicy = Literal["model", "never_block"]
OnOutage = Literal["error", "allow"]


class SettingsError(ValueError):
    """A wrong value or an impossible combination; ``str()`` is one line that names what to set."""


def _state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "sluice"


def _both(name: str) -> AliasChoices:
    """Accept ``SLUICE_NAME`` first, then OpenTextShield's ``OTS_NAME``."""
    return AliasChoices(f"{PREFIX}{name}", f"{OTS_PREFIX}{name}")


def _flower(name: str) -> AliasChoices:
    """Accept ``SLUICE_NAME`` first, then Flower's own name."""
    return AliasChoices(f"{PREFIX}{name}", name)


class Settings(BaseSettings):
    """Every setting of Sluice, frozen after validation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    # Batching
    max_batch_size: int = Field(
        64, ge=1, le=4096, validation_alias=_both("MAX_BATCH_SIZE"), description="most messages in one batch"
    )
    batch_wait_ms: float = Field(
        5,
        ge=0,
        le=60_000,
        validation_alias=_both("BATCH_WAIT_MS"),
        description="longest time, ms, that a message waits for others before its batch runs",
    )
    max_text_length: int = Field(
        96,
        ge=8,
        le=4096,
        validation_alias=_both("MAX_TEXT_LENGTH"),
        description="tokens of one message that the model reads; the rest is cut off",
    )
    use_fp16: bool = Field(
        True, validation_alias=_both("USE_FP16"), description="half precision on CUDA; no effect on a CPU"
    )
    batching_enabled: bool = Field(
        True, validation_alias=_both("BATCHING_ENABLED"), description="false is the same as BATCHING=none"
    )
    mbert_model_path: str | None = Field(
        None,
        validation_alias=_both("MBERT_MODEL_PATH"),
        description="an OpenTextShield .pth checkpoint to serve in place of MODEL",
    )
    batching: Batching = Field(
        "dynamic", description="dynamic: by tokens, at once when idle; static: N or timeout; none: one by one"
    )
    max_batch_tokens: int = Field(
        0,
        ge=0,
        le=4_194_304,
        description="most tokens in one dynamic batch, padding included; 0: as the device's cost asks for",
    )

    # Model
    model: str = Field(
        str(DEFAULT_MODEL),
        min_length=1,
        description="a model folder, a hub id, or simulated:?batch_ms=3&message_us=20",
    )
    device: str = Field(
        "auto",
        pattern=DEVICE,
        description="auto, cpu, cuda or cuda:N; auto takes CUDA if present",
    )
    precision: Precision = Field(
        "auto",
        description="fp32, fp16 (CUDA), bf16 or int8 (CPU); auto: fp16 on CUDA; on a CPU int8 where it agrees and pays",
    )
    packed: bool = Field(
        True, description="run BERT-like models without padding; false: as their library does, for comparison"
    )
    model_threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of the model; 0: as the model's cost asks for"
    )
    tokenizer_threads: int = Field(
        0, ge=0, le=1024, description="threads that tokenise; 0: one beside a model on the CPU, more beside a GPU"
    )
    deduplicate: bool = Field(True, description="compute texts that wait together and read alike only once")

    # Verdicts
    verdict: bool = Field(
        False, description="true: every answer says what to do, allow, flag or block; false: those that ask for it"
    )
    verdict_policy: VerdictPolicy = Field(
        "model",
        description="model: the model's thresholds decide; never_block: the model alone never blocks, such are flagged",
    )
    flag_at: float = Field(
        0.5,
        ge=0,
        le=1,
        description="spam and phishing are flagged from this probability on, if a model has no thresholds",
    )
    block_at: float = Field(
        0.9,
        ge=0,
        le=1,
        description="spam and phishing are blocked from this probability on, if a model has no thresholds",
    )
    on_outage: OnOutage = Field(
        "error",
        description="what POST /predict/ answers who wants a verdict and gets none in time or because a part is away or"
        " full: error, or allow (marked degraded)",
    )

    # Broker and results
    broker_url: SecretStr | None = Field(
        None, description="redis://, rediss://, redis+socket:// or amqp://; empty: the embedded Redis"
    )
    result_backend: SecretStr | None = Field(
        None, description="a Redis URL; empty: the broker's Redis, else the embedded one"
    )
    result_ttl_s: int = Field(86_400, ge=1, description="seconds that results and jobs are kept")
    result_cache_ttl_s: int = Field(
        0, ge=0, description="seconds that answers are kept for texts that come again, by hash; 0: no cache"
    )
    queue_type: Literal["quorum", "classic"] = Field("quorum", description="RabbitMQ queue type; no effect on Redis")
    visibility_timeout_s: int = Field(
        60,
        ge=4,
        description="Redis only: seconds after which a dead worker's messages go back to the queue; live ones renew",
    )
    state_dir: Path = Field(
        default_factory=_state_dir,
        description="folder of the embedded Redis (its socket and append-only file) and of uploaded archives",
    )

    # Web
    host: str = Field("127.0.0.1", min_length=1, description="address the web server binds")
    port: int = Field(8000, ge=1, le=65_535, description="port the web server binds")
    flower_port: int = Field(5555, ge=1, le=65_535, description="port of Flower under `sluice up`")
    flower_basic_auth: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        validation_alias=_flower("FLOWER_BASIC_AUTH"),
        description="comma-separated logins user:password; without one Flower asks for none, and its buttons are off",
    )
    flower_broker_api: SecretStr | None = Field(
        None,
        validation_alias=_flower("FLOWER_BROKER_API"),
        description="RabbitMQ's management API, http://user:password@host:15672/api/, for more on Flower's broker page",
    )
    web_threads: int = Field(256, ge=1, le=4096, description="requests that one web process holds at once")
    sync_wait_s: float = Field(10, gt=0, le=600, description="seconds POST /predict/ waits before it answers 202")
    max_queue_depth: int = Field(
        100_000, ge=1, description="messages of a lane, published and not answered, at which new ones get 429"
    )
    max_text_chars: int = Field(5_000, ge=1, le=1_000_000, description="longest text accepted, in characters")
    max_job_messages: int = Field(10_000, ge=1, le=1_000_000, description="most messages in one POST /jobs")
    max_body_bytes: int = Field(8_388_608, ge=1024, description="largest request body accepted, in bytes")
    max_archive_bytes: int = Field(
        1_073_741_824, ge=1024, description="most bytes of the files in one POST /archives, packed as they come"
    )
    archive_dir: Path | None = Field(
        None, description="folder of uploaded archives and their results; empty: archives in STATE_DIR"
    )
    archives_at_once: int = Field(
        1, ge=1, le=64, description="uploaded archives that this machine classifies at once; the others wait"
    )
    max_archives: int = Field(100, ge=1, le=100_000, description="archives kept; beyond it new ones get 429")
    archive_ttl_s: int = Field(86_400, ge=1, description="seconds that an archive and its result are kept")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="comma-separated keys; when set, requests need X-API-Key or Authorization: Bearer"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="comma-separated origins whose pages may use the API (CORS): https://app.example, or * for all",
    )

    # Running
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level logged")
    restart_wait_s: float = Field(
        30,
        ge=0,
        le=3600,
        description="longest time, s, that a worker waits before it takes messages when those before it on this"
        " machine ended soon after their start; 0: it never waits",
    )

    @field_validator(
        "batching", "device", "precision", "verdict_policy", "on_outage", "queue_type", "log_level", mode="before"
    )
    @classmethod
    def _any_case(cls, value: object, info: ValidationInfo) -> object:
        lowered = value.strip().lower() if isinstance(value, str) else ""
        choices = get_args(cls.model_fields[str(info.field_name)].annotation)
        return lowered if lowered in choices or re.fullmatch(DEVICE, lowered) else value

    @field_validator("state_dir", "archive_dir")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        try:
            return None if value is None else value.expanduser()
        except RuntimeError:
            raise ValueError(f"{str(value).partition('/')[0]!r} is no user's home") from None

    @field_validator("api_keys", "flower_basic_auth", mode="before")
    @classmethod
    def _split_secrets(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin(part) for part in value.split(",") if part.strip())
        return value

    @field_validator("flower_basic_auth")
    @classmethod
    def _logins(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for login in value:
            user, _, password = login.get_secret_value().partition(":")
            if not (user and password):
                raise ValueError("each login is user:password, without a comma in either")
        return value

    @field_validator("flower_broker_api")
    @classmethod
    def _management_api(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        require_readable(value.get_secret_value(), ("http", "https"))
        if not urlsplit(value.get_secret_value()).hostname:
            raise ValueError("it is a URL such as http://user:password@host:15672/api/")
        return value

    @field_validator("broker_url", "result_backend")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            amqp = AMQP_SCHEMES if info.field_name == "broker_url" else ()
            require_readable(value.get_secret_value(), REDIS_SCHEMES + amqp)
        return value

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        given = self.model_fields_set
        if not self.batching_enabled and "batching" in given and self.batching != "none":
            raise ValueError(f"SLUICE_BATCHING_ENABLED=false contradicts BATCHING={self.batching}: remove one of them")
        if self.mbert_model_path is not None and "model" in given:
            raise ValueError("SLUICE_MODEL and SLUICE_MBERT_MODEL_PATH both name a model: set only one of them")
        if not self.use_fp16 and "use_fp16" in given and self.precision == "fp16":
            raise ValueError("SLUICE_USE_FP16=false contradicts PRECISION=fp16: remove one of them")
        if 0 < self.max_batch_tokens < self.max_text_length:
            raise ValueError(
                f"SLUICE_MAX_BATCH_TOKENS={self.max_batch_tokens} is less than MAX_TEXT_LENGTH={self.max_text_length}:"
                " a full-length message would never fit into a batch"
            )
        if self.flag_at > self.block_at:
            raise ValueError(
                f"SLUICE_FLAG_AT={self.flag_at:g} is more than BLOCK_AT={self.block_at:g}: what is blocked would not be"
                " flagged before"
            )
        if self.sync_wait_s > self.result_ttl_s:
            raise ValueError(
                f"SLUICE_SYNC_WAIT_S={self.sync_wait_s:g} is more than RESULT_TTL_S={self.result_ttl_s}:"
                " a result would be gone before its caller stops waiting"
            )
        if len(os.fsencode(self.redis_socket)) > SOCKET_PATH_LIMIT:
            raise ValueError(
                f"SLUICE_STATE_DIR makes a socket path of {len(os.fsencode(self.redis_socket))} bytes, over the"
                f" limit of {SOCKET_PATH_LIMIT}: choose a shorter folder"
            )
        return self

    @property
    def batching_mode(self) -> Batching:
        """The mode in force, with ``BATCHING_ENABLED`` taken into account."""
        return self.batching if self.batching_enabled else "none"

    @property
    def redis_socket(self) -> Path:
        """Unix socket of the embedded Redis."""
        return self.state_dir / "redis.sock"

    @property
    def archives(self) -> Path:
        """Folder of uploaded archives."""
        return (self.archive_dir or self.state_dir / "archives").absolute()

    @property
    def embedded_url(self) -> str:
        return f"redis+socket://{self.redis_socket}"

    @property
    def broker(self) -> str:
        """Broker URL in force, credentials included: never log it."""
        return usable(self.broker_url.get_secret_value()) if self.broker_url else self.embedded_url

    @property
    def backend(self) -> str:
        """Result backend URL in force, credentials included: never log it."""
        if self.result_backend:
            return usable(self.result_backend.get_secret_value())
        return self.embedded_url if self.uses_amqp else self.broker

    @property
    def uses_amqp(self) -> bool:
        return urlsplit(self.broker).scheme in AMQP_SCHEMES

    @property
    def uses_embedded(self) -> bool:
        """Whether any part of the service needs the embedded Redis."""
        return self.embedded_url in (self.broker, self.backend)


def read(**overrides: object) -> Settings:
    """Read and validate the settings.

    Args:
        overrides: values by field name that win over the environment, for tests and command-line options.

    Raises:
        SettingsError: one line with every wrong setting and what is wrong with it.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as exc:
        raise SettingsError(complaint(exc, Settings, PREFIX)) from None
    except UnicodeDecodeError as exc:
        raise SettingsError(f".env is not UTF-8 text: {exc.reason} at byte {exc.start}") from None
    except OSError as exc:
        raise SettingsError(f".env cannot be read: {exc.strerror}") from None


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process, read once."""
    return read()
