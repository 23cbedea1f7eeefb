"""Every setting of a client: its type, default and documentation, declared once in `ClientOptions`.

The parameters of `Client` and `connect`, their docstrings, the documentation's table and the checks follow from that declaration.
To add a setting, add a field; what uses it finds it on `Settings`, the options resolved with the environment.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar, get_args, get_type_hints
from urllib.parse import SplitResult, urlsplit

from ..errors import InvalidRequestError, find_caller
from ..schema.arguments import bind_arguments, check_argument, expand_home
from ..schema.docstrings import describe_parameter, format_entries, join_sections, split_sections
from .credentials import Credential, access_headers, find_credential
from .secret import Secret, hide

# Headers that every request sets, or that affect its routing; servers treat `-` and `_` as equal.
OWN_HEADERS = {
    "x-api-key", "x-idempotency-key", "accept", "accept-encoding", "connection", "content-length", "content-type", "cookie",
    "expect", "host", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
}  # fmt: skip
# Variables that name a bundle of CA certificates, in the order in which they count.
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_ADDRESS = re.compile(r"[^:]*://[^@?#]*")  # without a user name, a query or a fragment
YEAR_S = 366 * 86_400
PRODUCTION = "https://tinker.thinkingmachines.dev/services/tinker-prod"
URL_VARIABLE = "TINKER_BASE_URL"

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


class UnverifiedWarning(UserWarning):
    """The server's certificate is not verified, as `verify=False` asked for."""


@dataclass(frozen=True)
class Setting:
    """The documentation of a setting, and the range of a number; its type and default are those of the field."""

    doc: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None

    def check(self, name: str, value: Any, kind: Any) -> None:
        """Raise `TypeError` for a value of another type, and `InvalidRequestError` for a number out of range, also NaN."""
        check_argument(name, "" if isinstance(value, Secret) else value, kind)
        if value is None:
            return
        if self.minimum is not None and not value >= self.minimum:
            raise InvalidRequestError(
                f"{name}={value!r} is below {self.minimum}", hint=f"Pass {name}={self.minimum} or more."
            )
        if self.maximum is not None and not value <= self.maximum:
            raise InvalidRequestError(
                f"{name}={value!r} is above {self.maximum}", hint=f"Pass {name}={self.maximum} or less."
            )
        if self.above is not None and not value > self.above:
            raise InvalidRequestError(
                f"{name}={value!r} is not above {self.above}", hint=f"Pass a number above {self.above}."
            )


@dataclass(frozen=True, repr=False)
class ClientOptions:
    """The settings as passed by the caller: the parameters of `Client` and of `connect`."""

    api_key: Annotated[
        str | None,
        Setting(
            'An API key (`tml-…`) or a JWT; `""` for none. Default: `TINKER_API_KEY`, else the output of the command in '
            "`TINKER_CREDENTIAL_CMD`, else the default key of `~/.tinker/credentials.json`."
        ),
    ] = None
    base_url: Annotated[
        str | None,
        Setting(
            "Address of the server, with or without `/api/v1`. Default: `TINKER_BASE_URL`, else the official service. Plain http "
            "is only accepted for this machine; see `allow_http`."
        ),
    ] = None
    _: KW_ONLY
    cache: Annotated[bool, Setting("Cache listings, in one file per account that only its owner can read.")] = True
    cache_dir: Annotated[
        str | os.PathLike[str] | None, Setting("Folder of the cache. Default: the system's folder for caches.")
    ] = None
    cache_ttl: Annotated[
        float, Setting("Seconds for which a cached listing is used; 0 turns the cache off.", minimum=0, maximum=YEAR_S)
    ] = 300
    max_workers: Annotated[int, Setting("Requests in flight at once.", minimum=1, maximum=256)] = 16
    retries: Annotated[
        int,
        Setting(
            "How often a request that is safe to repeat is sent again, and, up to four times, a list read that does not show a write yet.",
            minimum=0,
            maximum=1000,
        ),
    ] = 4
    timeout: Annotated[
        float, Setting("Seconds without a byte after which a request has failed.", above=0, maximum=YEAR_S)
    ] = 60
    deadline: Annotated[
        float | None,
        Setting(
            "Seconds that one request may take with all its retries and waits, and one list with all its pages; None for no limit.",
            above=0,
            maximum=YEAR_S,
        ),
    ] = 300
    verify: Annotated[
        bool | str | os.PathLike[str],
        Setting(
            "How the server's TLS certificate is verified: True, or a file or folder of CA certificates; False to accept any, with "
            "a warning. With True, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `SSL_CERT_FILE` can name such a file."
        ),
    ] = True
    allow_http: Annotated[
        bool, Setting("Send the key over plain http, but only to hosts whose address is in a private network.")
    ] = False
    headers: Annotated[
        Mapping[str, str] | None,
        Setting(
            "Headers that the server requires besides the key's; as secret as the key, and sent where it is sent. Values of 16 "
            "or more characters are struck out of answers, as the key is; shorter ones (of 4 or more) if the header's name says that it "
            "is a secret, as `X-Lab-Token` does."
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Settings(ClientOptions):
    """The settings of a client, checked and resolved."""

    api_key: None = field(default=None, init=False, repr=False)  # it is in the credential
    headers: None = field(default=None, init=False, repr=False)  # they are among the extra headers
    base_url: str
    cache_dir: Path
    verify: bool | str = True
    credential: Credential
    command: Credential | None = None  # for a server that only takes a command's credential
    extra_headers: tuple[tuple[str, Secret], ...] = field(default=(), repr=False)

    def may_reach(self, address: str) -> bool:
        """Tell whether a key may be sent unencrypted to a host, by its resolved address."""
        return is_loopback(address) or (self.allow_http and _is_private(address))


def resolve(options: ClientOptions) -> Settings:
    """Return the settings for these options and this environment.

    Raises
    ------
    AuthenticationError
        If there is no credential for the official service, or a malformed one.
    InvalidRequestError
        If the base URL is malformed, a key would travel over plain http, a number is out of range, or there is no such CA bundle.
    TypeError
        If a setting is of another type.
    """
    for name, parameter, setting in describe_settings():
        setting.check(name, getattr(options, name), parameter.annotation)
    base_url = _check_url(options.base_url or hide_no_url(os.environ.get(URL_VARIABLE)) or PRODUCTION)
    credential, command = find_credential(hide(options.api_key), official=_is_official(base_url))
    given_headers = check_headers(options.headers or {})
    names = {name.lower() for name in given_headers}
    from_environment = (header for header in access_headers() if header[0].lower() not in names)
    extra_headers = (*from_environment, *given_headers.items())
    if credential.exists or extra_headers:
        _require_encryption(base_url, allow_http=options.allow_http)
    resolved = {
        "base_url": base_url,
        "credential": credential,
        "command": command,
        "cache": options.cache and options.cache_ttl > 0,
        "cache_dir": find_folder("cache") if options.cache_dir is None else expand_home(options.cache_dir, "cache_dir"),
        "verify": _check_verify(options.verify) if base_url.lower().startswith("https:") else True,
        "extra_headers": extra_headers,
    }
    given = {name: value for name, value in vars(options).items() if name not in ("api_key", "headers")}
    return Settings(**given | resolved)


def check_headers(headers: Mapping[str, Any]) -> dict[str, Secret]:
    """Return extra headers with their values hidden; raises for an invalid name and for a header that every request has."""
    checked = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, (str, Secret)):
            raise TypeError(f"headers must map str to str; {name!r:.80} is mapped to {type(value).__name__}")
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise InvalidRequestError(f"headers: {name!r:.80} is not a valid header name")
        if name.lower().replace("_", "-") in OWN_HEADERS:
            raise InvalidRequestError(
                f"headers: {name} cannot be set, since every request sets it",
                hint="Pass the key as api_key=; leave out what HTTP or this library sets.",
            )
        checked[name] = hide(value)
        if not checked[name].fits_header:
            raise InvalidRequestError(
                f"headers: the value of {name} contains characters that a header cannot have",
                hint="Use one line of printable ASCII; encode other text, e.g. by urllib.parse.quote.",
            )
    return checked


def find_folder(which: Literal["cache", "state"]) -> Path:
    """Return the system's folder for our cache or journal; one that cannot be written where no home directory is known."""
    import platformdirs

    find = platformdirs.user_cache_path if which == "cache" else platformdirs.user_state_path
    try:
        return find("tinker-frames").expanduser()  # an older version leaves a ~ that is not known
    except RuntimeError:  # as in a container, for a user without a name
        return Path(os.devnull, "tinker-frames")


def describe_settings() -> Iterator[tuple[str, inspect.Parameter, Setting]]:
    """Yield the name, the parameter (with type and default) and the documentation of each setting."""
    hints = get_type_hints(ClientOptions, include_extras=True)
    for name, parameter in inspect.signature(ClientOptions).parameters.items():
        kind, setting = get_args(hints[name])
        yield name, parameter.replace(annotation=kind), setting


def accept_options(
    options: Callable[P, ClientOptions],
) -> Callable[[Callable[[S, ClientOptions], None]], Callable[Concatenate[S, P], None]]:
    """Return a decorator that gives a method which takes `ClientOptions` a parameter for each setting."""
    parameters = [parameter for _, parameter, _ in describe_settings()]
    accepted = inspect.Signature(parameters)

    def decorate(method: Callable[[S, ClientOptions], None]) -> Callable[Concatenate[S, P], None]:
        called = method.__qualname__.removesuffix(".__init__")

        @functools.wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
            args, kwargs = hide_secrets(args, kwargs)  # before anything can fail, and show them in a traceback
            bind_arguments(called, accepted, args, kwargs)
            method(self, options(*args, **kwargs))

        own = next(iter(inspect.signature(method).parameters.values()))
        call.__signature__ = inspect.Signature([own, *parameters], return_annotation=None)  # type: ignore[attr-defined]
        return call

    return decorate


def hide_secrets(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Return the arguments of a client with the key, which comes first, and the headers hidden, and whatever may be one of them."""
    names = inspect.signature(ClientOptions).parameters
    hidden = {name: hide(kwargs[name]) for name in kwargs if name in ("api_key", "headers") or name not in names}
    if "base_url" in kwargs:
        hidden["base_url"] = hide_no_url(kwargs["base_url"])
    return (*map(hide, args[:1]), *map(hide_no_url, args[1:2]), *map(hide, args[2:])), kwargs | hidden


def hide_no_url(value: Any) -> Any:
    """Return a base URL, hidden if it is none, since it may be a misplaced key, or has a part that may hold one."""
    return value if isinstance(value, str) and (not value or _ADDRESS.fullmatch(value)) else hide(value)


# When making a client raises which error.
OPTION_ERRORS = MappingProxyType(
    {
        "AuthenticationError": "If there is no usable credential for the official service.",
        "InvalidRequestError": "If an argument is out of range, or a key would be sent over plain http.",
        "TypeError": "For an unknown argument.",
    }
)


def document_options(documented: T) -> T:
    """Put every setting, and the errors of invalid ones, into the docstring of a callable that takes the options."""
    if documented.__doc__:
        entries = {
            describe_parameter(parameter): textwrap.fill(setting.doc, 110)
            for _, parameter, setting in describe_settings()
        }
        documented.__doc__ = join_sections(
            split_sections(documented.__doc__)
            | {"Parameters": format_entries(entries), "Raises": format_entries(OPTION_ERRORS)}
        )
    return documented


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is certainly this machine; a subdomain of localhost may not be."""
    address = _parse_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _is_private(host: str) -> bool:
    """Tell whether a host may be in a private network; for a host name, its address decides when it is connected."""
    address = _parse_address(host)
    return address is None or not (address.is_global or address.is_unspecified or address.is_multicast)


def _parse_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])  # the zone of a link-local one is not part of it
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _require_encryption(base_url: str, *, allow_http: bool) -> None:
    """Raise `InvalidRequestError` if a key would be sent unencrypted to a host that does not allow it."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if (
        parts.scheme == "https"
        or is_loopback(host)
        or (allow_http and _is_private(host) and not _is_official(base_url))
    ):
        return
    raise InvalidRequestError(
        f"{base_url} is plain http, and a key must not be sent unencrypted",
        hint="Use an https:// base URL; plain http is allowed for this machine and, with allow_http=True, private networks.",
    )


def _check_verify(verify: bool | str | os.PathLike[str]) -> bool | str:
    """Return whether to verify certificates, or the bundle to verify them with: the given one, or the environment's."""
    if verify is False:
        warnings.warn(
            "verify=False: the server's certificate is not verified, so the key can be intercepted",
            UnverifiedWarning,
            stacklevel=find_caller(),
        )
        return False
    if verify is not True:
        return _check_bundle(os.fspath(verify), "verify=")
    for name in BUNDLE_VARIABLES:
        if path := os.environ.get(name):
            return _check_bundle(path, name)
    return True


def _check_bundle(path: str, source: str) -> str:
    """Return the path of a file or folder of CA certificates; raises `InvalidRequestError` if it is not one."""
    import ssl

    bundle = expand_home(path, source)
    try:
        if not bundle.is_dir():
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(bundle)
    except (OSError, ValueError) as error:
        problem = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be used ({_describe(error)})"
    else:
        return str(bundle)
    raise InvalidRequestError(
        f"the CA bundle {path!r} of {source} {problem}",
        hint="Set it to a PEM file or a folder of CA certificates, or leave it unset.",
    )


def _describe(error: Exception) -> str:
    reason = getattr(error, "reason", None)  # of ssl, where the text also names its source file
    return reason.replace("_", " ").lower() if reason else str(getattr(error, "strerror", None) or error)


def _check_url(given: str | Secret) -> str:
    """Return the base URL without its last slash; an invalid one is not shown, nor in a variable here, since it may hold a key."""
    url: Secret = hide(given)
    if not _is_web_address(url):
        raise InvalidRequestError(
            "the base URL is not an http(s) URL",
            hint="Set base_url or TINKER_BASE_URL to e.g. https://host/services/tinker.",
        )
    if _ADDRESS.fullmatch(url.reveal()) is None:
        raise InvalidRequestError(
            "the base URL has a user name, a query or a fragment",
            hint="Pass the address only, and the key as api_key=.",
        )
    return url.reveal().rstrip("/").removesuffix("/api/v1").rstrip("/")


def _is_web_address(url: Secret) -> bool:
    parts = _split_url(url.reveal())
    return parts is not None and parts.scheme in ("http", "https")


def _split_url(url: str) -> SplitResult | None:
    """Return the parts of a URL that names a host and a possible port."""
    try:
        parts = urlsplit(url)
        known = (
            bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
            and not re.search(r"[\s\\\x00-\x1f\x7f]", url)
        )
    except ValueError:
        return None
    return parts if known else None


def _is_official(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "thinkingmachines.dev" or host.endswith(".thinkingmachines.dev")
