"""One frozen settings object, from arguments, environment and the SDK's credentials file.

Nothing here is sent or written. A credential's secret comes out of one method, `Credential.reveal`, and of nothing else:
not of its repr, not of a pickle.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from ..errors import AuthenticationError, InvalidRequestError

PRODUCTION = "https://tinker.thinkingmachines.dev/services/tinker-prod"
CREDENTIALS_FILE = "~/.tinker/credentials.json"
COMMAND_TIMEOUT_S = 60

# Access headers that some installations want, and the variables that hold their values: secrets like the key.
CLOUDFLARE_HEADERS = {
    "CF-Access-Client-Id": "CLOUDFLARE_ACCESS_CLIENT_ID",
    "CF-Access-Client-Secret": "CLOUDFLARE_ACCESS_CLIENT_SECRET",
}


class Credential:
    """Where the secret comes from, and the secret itself behind `reveal()`."""

    __slots__ = ("_command", "_secret", "source")

    def __init__(self, source: str, *, secret: str = "", command: str = "") -> None:
        self.source = source
        self._secret = secret
        self._command = command

    @property
    def is_command(self) -> bool:
        """Whether a command prints it anew each time."""
        return bool(self._command)

    @property
    def exists(self) -> bool:
        """Whether there is any; servers that ask for none work without."""
        return bool(self._secret or self._command)

    def reveal(self) -> str:
        """Return the secret; runs the command if that is where it comes from."""
        return _run(self._command) if self._command else self._secret

    def __repr__(self) -> str:
        if self.is_command:
            return self.source
        return f"{self.source} {masked(self._secret)}" if self._secret else self.source

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Tinker credential cannot be pickled; make a new Client in the other process")


@dataclass(frozen=True)
class Settings:
    """What a client was told, resolved and checked once."""

    base_url: str
    credential: Credential
    command: Credential | None = None  # what a server that enforces commands is given instead
    cache: bool = True
    cache_dir: Path = Path()
    cache_ttl: float = 300.0
    max_workers: int = 16
    retries: int = 4
    timeout: float = 60.0
    deadline: float | None = 300.0
    extra_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def resolve(
    api_key: str | None = None,
    base_url: str | None = None,
    *,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_ttl: float = 300,
    max_workers: int = 16,
    retries: int = 4,
    timeout: float = 60,
    deadline: float | None = 300,
) -> Settings:
    """Return the settings for these arguments and this environment.

    Raises
    ------
    AuthenticationError
        If the official service is meant and there is no credential, or only a malformed one.
    InvalidRequestError
        If the base URL is none, would send a key over plain http, or a number is out of range.
    """
    numbers = {"cache_ttl": (cache_ttl, 0), "max_workers": (max_workers, 1), "retries": (retries, 0)}
    for name, (value, least) in numbers.items():
        if not value >= least:
            raise InvalidRequestError(f"{name}={value!r} is below {least}", hint=f"Pass {name}={least} or more.")
    if not timeout > 0 or (deadline is not None and not deadline > 0):
        raise InvalidRequestError("timeout and deadline are seconds above 0", hint="Pass a positive number of seconds.")
    url = _base_url(base_url or os.environ.get("TINKER_BASE_URL") or PRODUCTION)
    credential, command = _credential(api_key, official=_is_official(url))
    extra_headers = _cloudflare_headers()
    if (credential.exists or extra_headers) and not _is_private(url):
        raise InvalidRequestError(
            f"{url} is plain http, and a key must not travel unencrypted",
            hint="Use an https:// base URL; plain http is for this machine only.",
        )
    return Settings(
        base_url=url,
        credential=credential,
        command=command,
        cache=cache and cache_ttl > 0,
        cache_dir=Path(cache_dir).expanduser() if cache_dir is not None else default_cache_dir(),
        cache_ttl=float(cache_ttl),
        max_workers=int(max_workers),
        retries=int(retries),
        timeout=float(timeout),
        deadline=deadline,
        extra_headers=extra_headers,
    )


def default_cache_dir() -> Path:
    """Return this system's folder for our cache."""
    import platformdirs

    return platformdirs.user_cache_path("tinker-frames")


def masked(secret: str) -> str:
    """Return what may be shown of a secret: its kind and its last four characters."""
    kind = next((prefix for prefix in ("tml-", "eyJ") if secret.startswith(prefix)), "")
    return f"{kind}…{secret[-4:]}" if len(secret) >= 8 else "…"


def is_loopback(host: str) -> bool:
    """Tell whether a host name can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked(secret: str, source: str) -> str:
    """Return a credential that can go into a header, trimmed; the others are refused without being shown."""
    secret = secret.strip()
    if not secret.isprintable() or not secret.isascii():
        raise AuthenticationError(f"the credential from {source} holds characters that no key has")
    return secret


def _base_url(url: str) -> str:
    """Return the base URL without its last slash; a text that is none is not shown, since it may be a misplaced key."""
    parts = _parts(url.strip())
    if parts is None or parts.scheme not in ("http", "https"):
        raise InvalidRequestError(
            "the base URL is no http(s) URL",
            hint="Set base_url or TINKER_BASE_URL to e.g. https://host/services/tinker.",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidRequestError(
            "the base URL holds a user name, a query or a fragment",
            hint="Give the address alone; pass the key as api_key=.",
        )
    return url.strip().rstrip("/")


def _parts(url: str) -> SplitResult | None:
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


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def _credential(api_key: str | None, *, official: bool) -> tuple[Credential, Credential | None]:
    """Return the credential to use, and the command's if there is one: argument, variable, command, file.

    A key of a form that the official service does not issue gives way to a command, never to the file;
    compatible servers issue keys of any form, so there it stands.
    """
    text = os.environ.get("TINKER_CREDENTIAL_CMD")
    command = Credential("TINKER_CREDENTIAL_CMD", command=text) if text else None
    for source, given in (("api_key argument", api_key), ("TINKER_API_KEY", os.environ.get("TINKER_API_KEY"))):
        secret = checked(given or "", source)
        if not secret:
            continue
        if secret.startswith(("tml-", "eyJ")):
            return Credential(source, secret=secret), command
        if command:
            return command, command
        if official:
            raise AuthenticationError(
                f"the credential from {source} is neither an API key (tml-…) nor a JWT (eyJ…)",
                hint="Copy the key from the Tinker console again.",
            )
        return Credential(source, secret=secret), None
    if command:
        return command, command
    secret = checked(_from_file(Path(CREDENTIALS_FILE).expanduser()), CREDENTIALS_FILE)
    if secret:
        return Credential(CREDENTIALS_FILE, secret=secret), None
    if official:
        raise AuthenticationError(
            f"no credential: api_key=, TINKER_API_KEY, TINKER_CREDENTIAL_CMD and {CREDENTIALS_FILE} are all empty",
            hint="Set TINKER_API_KEY to a key from the Tinker console, or try the demo account: tinker_frames.demo.account().",
        )
    return Credential("no credential"), None


def _from_file(path: Path) -> str:
    """Read the default key of the SDK's credentials file; a missing file or record is no key, a broken file an error."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as fault:
        problem = type(fault).__name__  # its text could quote the file
    else:
        keys = data.get("keys") if isinstance(data, dict) else None
        record = keys.get(str(data.get("default"))) if isinstance(keys, dict) else None
        secret = record.get("key") if isinstance(record, dict) else None
        return secret if isinstance(secret, str) else ""
    raise AuthenticationError(
        f"{CREDENTIALS_FILE} cannot be read ({problem})", hint="Mend or remove the file, or set TINKER_API_KEY."
    )


def _run(command: str) -> str:
    """Return what a credential command prints, trimmed; neither its output nor its errors go into a message."""
    try:
        done = subprocess.run(  # noqa: S602  # the variable is a shell command by its contract
            command,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        code, secret = done.returncode, done.stdout.decode(errors="replace").strip()
    except subprocess.TimeoutExpired:
        code, secret = -1, ""
    if code == 0 and secret:
        return checked(secret, "the command in TINKER_CREDENTIAL_CMD")
    said = (
        f"took over {COMMAND_TIMEOUT_S} s" if code == -1 else f"ended with code {code}" if code else "printed nothing"
    )
    raise AuthenticationError(
        f"the command in TINKER_CREDENTIAL_CMD {said}",
        hint="Run it in a shell; it has to print a credential and exit 0.",
    )


def _cloudflare_headers() -> tuple[tuple[str, str], ...]:
    """Return the access headers that some installations want, if the environment has them."""
    given = ((header, checked(os.environ.get(name, ""), name)) for header, name in CLOUDFLARE_HEADERS.items())
    return tuple((header, value) for header, value in given if value)
