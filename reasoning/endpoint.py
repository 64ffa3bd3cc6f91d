"""Any server that speaks the chat completions of OpenAI: vLLM, SGLang, Ollama, llama.cpp, Ray Serve.

Pictures go as data URLs, the answer comes as server-sent events. Only what every such server has is
used. A request that fails before its first word is tried again where that may help: no connection,
429, 5xx. One that was refused is not, nor one that has begun to answer. Every wait has a limit, and
closing the answer closes the connection, on which these servers stop generating.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from reasoning.chat import turn
from reasoning.completions import messages
from reasoning.errors import GenerationFailed, ModelUnusable
from reasoning.generator import Capabilities
from reasoning.pictures import Picture, fitted
from reasoning.prompt import Prompt

_CHARS_PER_TOKEN = 3.3  # of English over most vocabularies; rounds up
_PATCH = 32  # pixels of a token's side: of Qwen3-VL; others differ, the budget is a rough one
_LONGEST_EVENT = 1_000_000  # characters of one line
_DONE = "data: [DONE]"
_TOLD = 200  # characters of what a server says


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `silence` is between two pieces of an answer; `total` is of all tries together."""

    connect: float = 3.0
    first: float = 30.0
    silence: float = 10.0
    total: float = 60.0
    tries: int = 3
    pause: float = 0.2  # before the second try, doubled before each further one


class _Again(Exception):
    """This try failed, another may not."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class EndpointGenerator:
    """`url`: as far as `/v1`. `key` is sent as a bearer token and appears nowhere else. A picture
    takes at most `picture_tokens` of `visual_tokens`; 0 of these for a model that reads only."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: SecretStr | None = None,
        visual_tokens: int = 4096,
        text_tokens: int = 1024,
        picture_tokens: int = 512,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ModelUnusable(f"answer_endpoint {shown(parsed)} is not a URL like http://host/v1")
        if parsed.userinfo or parsed.query:
            raise ModelUnusable(
                f"answer_endpoint {shown(parsed)} holds a password or a query: URLs are logged, "
                "so a secret goes into answer_key"
            )
        self.capabilities = Capabilities(
            visual_tokens, text_tokens, continues=False, prepares=False
        )
        self._url = url.rstrip("/") + "/chat/completions"
        self._shown = shown(parsed)
        self._model = model
        self._key = key
        self._limits = limits or Limits()
        self._most_pixels = picture_tokens * _PATCH**2
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    def count(self, text: str) -> int:
        """Tokens of a text, estimated from its length: the server's vocabulary is not known."""
        return int(len(text) / _CHARS_PER_TOKEN) + 1

    def picture_tokens(self, picture: Picture) -> int:
        width, height = fitted(picture.size, self._most_pixels)
        return -(-width // _PATCH) * -(-height // _PATCH)

    async def warm(self) -> None:
        """Nothing is loaded here; whether the server answers is known when it is asked."""

    def close(self) -> None:
        """Lets go of the connections that are kept for the next question: they close with it."""
        self._client = None

    async def aclose(self) -> None:
        """Closes them at once."""
        if self._client is not None:
            await self._client.aclose()

    async def stream(self, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str, None]:
        body = {
            "model": self._model,
            "messages": await asyncio.to_thread(messages, turn(prompt), self._most_pixels),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
        }
        ends = self._clock() + self._limits.total
        tries = 0
        while True:
            tries += 1
            try:
                async with aclosing(self._try(body, ends)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except _Again as failed:
                pause = max(failed.after, self._limits.pause * 2 ** (tries - 1))
                if tries >= self._limits.tries or self._clock() + pause >= ends:
                    times = f" ({tries} tries)" if tries > 1 else ""
                    raise GenerationFailed(f"{self._shown} {failed}{times}") from None
            await asyncio.sleep(pause)

    async def _try(self, body: dict[str, Any], ends: float) -> AsyncGenerator[str, None]:
        """One request. Raises _Again before the first word, GenerationFailed after it."""
        said = finished = False
        try:
            async with self._connections().stream(
                "POST", self._url, json=body, headers=self._headers()
            ) as response:
                await self._check(response)
                async with aclosing(self._lines(response, ends)) as lines:
                    async for line in lines:
                        piece, ended = _piece(line)
                        finished = finished or ended
                        if piece:
                            said = True
                            yield piece
                        if line == _DONE:
                            break
            if not said:
                raise _Failed("ended its answer before it began")
            if not finished:
                raise _Failed("stopped in the middle of its answer")
        except _Failed as error:
            raise self._failed(str(error), said) from None
        except TimeoutError:
            raise self._failed("took too long to answer", said) from None
        except httpx.TimeoutException as error:
            why = "does not answer" if isinstance(error, httpx.ConnectTimeout) else "fell silent"
            raise self._failed(why, said) from None
        except httpx.TransportError as error:
            # Its text may hold the URL, and that a name and password.
            raise self._failed(f"cannot be talked to ({type(error).__name__})", said) from None

    async def _lines(self, response: httpx.Response, ends: float) -> AsyncGenerator[str, None]:
        """Each line, none of them longer than an event may be. Raises TimeoutError, _Failed."""
        chunks = response.aiter_bytes()
        held = b""
        wait = self._limits.first
        while True:
            left = ends - self._clock()
            try:
                chunk = await asyncio.wait_for(anext(chunks), min(wait, max(left, 0.0)))
            except StopAsyncIteration:
                break
            wait = self._limits.silence
            *whole, held = (held + chunk).split(b"\n")
            if len(held) > _LONGEST_EVENT:
                raise _Failed("sends something else than an answer")
            for line in whole:
                yield line.decode("utf-8", "replace").strip()
        if held:
            yield held.decode("utf-8", "replace").strip()

    async def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        said = _told(await asyncio.wait_for(_beginning(response), self._limits.silence))
        if self._key is not None:
            said = said.replace(self._key.get_secret_value(), "…")
        why = f"answered {status}{': ' + said if said else ''}"
        if status == 429 or status >= 500:
            raise _Again(why, _after(response))
        raise GenerationFailed(f"{self._shown} {why}")

    def _failed(self, why: str, said: bool) -> Exception:
        return GenerationFailed(f"{self._shown} {why}") if said else _Again(why)

    def _headers(self) -> dict[str, str]:
        if self._key is None:
            return {}
        return {"Authorization": f"Bearer {self._key.get_secret_value()}"}

    def _connections(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = self._limits
            # Nobody's proxy or .netrc: what is asked goes to the server that was named.
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(
                    limits.silence, connect=limits.connect, read=max(limits.first, limits.silence)
                ),
                trust_env=False,
            )
        return self._client


class _Failed(Exception):
    """What the server sent is no answer."""


def _piece(line: str) -> tuple[str, bool]:
    """The text that a line of the event stream carries, and whether the answer ends with it.
    Raises _Failed."""
    if not line.startswith("data:"):
        if line and not line.startswith((":", "event:", "id:", "retry:")):
            raise _Failed("sends something else than an answer")
        return "", False
    if line == _DONE:
        return "", True
    sent = line.removeprefix("data:").strip()
    try:
        event = json.loads(sent)
    except ValueError:
        raise _Failed("sends something else than an answer") from None
    if not isinstance(event, dict):
        raise _Failed("sends something else than an answer")
    if event.get("error"):
        raise _Failed(f"failed: {_told(sent)}")
    choices = event.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "", False  # a count of tokens, or a sign of life
    delta = choices[0].get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else "", choices[0].get("finish_reason") is not None


async def _beginning(response: httpx.Response) -> bytes:
    held = b""
    async for chunk in response.aiter_bytes():
        held += chunk
        if len(held) > 10_000:
            break
    return held


def _told(sent: bytes | str) -> str:
    """What a server says went wrong, in one short line."""
    text = sent.decode("utf-8", "replace") if isinstance(sent, bytes) else sent
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if isinstance(body, dict):
        error = body.get("error", body.get("detail", body.get("message", "")))
        said = error.get("message") if isinstance(error, dict) else error
        text = said if isinstance(said, str) else ""  # a list may quote what it was sent
    elif text.lstrip().startswith("<"):
        text = ""  # a proxy's page
    return " ".join(text.split())[:_TOLD]


def _after(response: httpx.Response) -> float:
    """Seconds that the server asks to be left alone."""
    try:
        return max(0.0, float(response.headers.get("retry-after", 0)))
    except ValueError:
        return 0.0


def shown(url: httpx.URL) -> str:
    """The server as errors name it: without user, password and query."""
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}"
