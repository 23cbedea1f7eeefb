"""Every setting of a client: its type, default and documentation, declared once in `ClientOptions`.

The parameters of `Client` and `connect`, their docstrings, the README's table and the checks follow from that declaration.
To add a setting, add a field; what uses it finds it on `Settings`, the options resolved with the environment.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, get_args, get_type_hints
from urllib.parse import SplitResult, urlsplit

from ..errors import InvalidRequestError
from .credentials import Credential, access_headers, find_credential

PRODUCTION = "https://tinker.thinkingmachines.dev/services/tinker-prod"
URL_VARIABLE = "TINKER_BASE_URL"

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What a setting is besides its type and default: its documentation, and the least number it can be."""

    doc: str
    minimum: float | None = None
    above: float | None = None

    def check(self, name: str, value: Any) -> None:
        """Raise `InvalidRequestError` for a number out of range, also for NaN."""
        if value is None:
            return
        if self.minimum is not None and not value >= self.minimum:
            raise InvalidRequestError(
                f"{name}={value!r} is below {self.minimum}", hint=f"Pass {name}={self.minimum} or more."
            )
        if self.above is not None and not value > self.above:
            raise InvalidRequestError(
                f"{name}={value!r} is not above {self.above}", hint=f"Pass a number above {self.above}."
            )


@dataclass(frozen=True, repr=False)
class ClientOptions:
    """The settings as a caller gives them: the parameters of `Client` and of `connect`."""

    api_key: Annotated[
        str | None,
        Setting(
            "An API key (`tml-…`) or a JWT. Default: `TINKER_API_KEY`, else the output of the command in "
            "`TINKER_CREDENTIAL_CMD`, else the default key of `~/.tinker/credentials.json`."
        ),
    ] = None
    base_url: Annotated[
        str | None,
        Setting(
            "Address of the server. Default: `TINKER_BASE_URL`, else the official service. Plain http is only accepted "
            "for this machine."
        ),
    ] = None
    _: KW_ONLY
    cache: Annotated[bool, Setting("Cache listings, in one file per account that only its owner can read.")] = True
    cache_dir: Annotated[
        str | os.PathLike[str] | None, Setting("Folder of the cache. Default: the system's folder for caches.")
    ] = None
    cache_ttl: Annotated[
        float, Setting("Seconds for which a cached listing is used; 0 turns the cache off.", minimum=0)
    ] = 300
    max_workers: Annotated[int, Setting("Requests in flight at once.", minimum=1)] = 16
    retries: Annotated[int, Setting("How often a request that is safe to repeat is sent again.", minimum=0)] = 4
    timeout: Annotated[float, Setting("Seconds without a byte after which a request has failed.", above=0)] = 60
    deadline: Annotated[
        float | None,
        Setting("Seconds that one request may take with all its retries and waits; None for no limit.", above=0),
    ] = 300


@dataclass(frozen=True, kw_only=True)
class Settings(ClientOptions):
    """The settings of a client, checked and resolved."""

    api_key: None = field(default=None, init=False, repr=False)  # it is in the credential
    base_url: str
    cache_dir: Path
    credential: Credential
    command: Credential | None = None  # for a server that only takes a command's credential
    extra_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def resolve(options: ClientOptions) -> Settings:
    """Return the settings for these options and this environment.

    Raises
    ------
    AuthenticationError
        If the official service is meant and there is no credential, or only a malformed one.
    InvalidRequestError
        If the base URL is malformed, a key would travel over plain http, or a number is out of range.
    """
    for name, _, setting in describe_settings():
        setting.check(name, getattr(options, name))
    base_url = _check_url(options.base_url or os.environ.get(URL_VARIABLE) or PRODUCTION)
    credential, command = find_credential(options.api_key, official=_is_official(base_url))
    extra_headers = access_headers()
    if (credential.exists or extra_headers) and not _is_secure(base_url):
        raise InvalidRequestError(
            f"{base_url} is plain http, and a key must not travel unencrypted",
            hint="Use an https:// base URL; plain http is for this machine only.",
        )
    resolved = {
        "base_url": base_url,
        "credential": credential,
        "command": command,
        "cache": options.cache and options.cache_ttl > 0,
        "cache_dir": find_cache_dir() if options.cache_dir is None else Path(options.cache_dir).expanduser(),
        "extra_headers": extra_headers,
    }
    given = {name: value for name, value in vars(options).items() if name != "api_key"}
    return Settings(**given | resolved)


def find_cache_dir() -> Path:
    """Return the system's folder for our cache."""
    import platformdirs

    return platformdirs.user_cache_path("tinker-frames")


def describe_settings() -> Iterator[tuple[str, inspect.Parameter, Setting]]:
    """Yield the name, the parameter (with type and default) and the documentation of each setting."""
    hints = get_type_hints(ClientOptions, include_extras=True)
    for name, parameter in inspect.signature(ClientOptions).parameters.items():
        kind, setting = get_args(hints[name])
        yield name, parameter.replace(annotation=kind), setting


def accept_options(
    options: Callable[P, ClientOptions],
) -> Callable[[Callable[[S, ClientOptions], None]], Callable[Concatenate[S, P], None]]:
    """Return a decorator for a method that takes options: it is called with the settings as parameters of its own."""
    parameters = [parameter for _, parameter, _ in describe_settings()]
    accepted = inspect.Signature(parameters)

    def decorate(method: Callable[[S, ClientOptions], None]) -> Callable[Concatenate[S, P], None]:
        called = method.__qualname__.removesuffix(".__init__")

        @functools.wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
            _check_call(called, accepted, args, kwargs)
            method(self, options(*args, **kwargs))

        own = next(iter(inspect.signature(method).parameters.values()))
        call.__signature__ = inspect.Signature([own, *parameters], return_annotation=None)  # type: ignore[attr-defined]
        return call

    return decorate


def document_options(documented: T) -> T:
    """Put the section `Parameters`, with every setting, into the docstring of what takes the options."""
    if documented.__doc__:
        head, separator, tail = inspect.cleandoc(documented.__doc__).partition("\nRaises\n------")
        described = "\n".join(
            f"{name} : {inspect.formatannotation(parameter.annotation)}, default {parameter.default!r}\n"
            + textwrap.fill(setting.doc, 110, initial_indent="    ", subsequent_indent="    ")
            for name, parameter, setting in describe_settings()
        )
        documented.__doc__ = f"{head}\nParameters\n----------\n{described}\n{separator}{tail}"
    return documented


def _check_call(called: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise `TypeError` for arguments that are not settings, and say which setting may be meant."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        names = list(signature.parameters)
        close = [match for name in kwargs if name not in names for match in difflib.get_close_matches(name, names, 1)]
        hint = f". Did you mean {close[0]!r}?" if close else ""
        raise TypeError(f"{called}(): {error}{hint}") from None


def is_loopback(host: str) -> bool:
    """Tell whether a host name can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str) -> str:
    """Return the base URL without its last slash; an invalid one is not shown, since it may be a misplaced key."""
    parts = _split_url(url.strip())
    if parts is None or parts.scheme not in ("http", "https"):
        raise InvalidRequestError(
            "the base URL is not an http(s) URL",
            hint="Set base_url or TINKER_BASE_URL to e.g. https://host/services/tinker.",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidRequestError(
            "the base URL holds a user name, a query or a fragment",
            hint="Give the address alone; pass the key as api_key=.",
        )
    return url.strip().rstrip("/")


def _split_url(url: str) -> SplitResult | None:
    """Return the parts of a URL that names a host and a possible port."""
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0) and not re.search(r"[\s\\]", url)
    except ValueError:
        return None
    return parts if known else None


def _is_official(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "thinkingmachines.dev" or host.endswith(".thinkingmachines.dev")


def _is_secure(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
