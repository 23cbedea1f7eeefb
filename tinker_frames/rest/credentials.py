"""The credential of an account: from an argument, the environment, a command or the SDK's credentials file.

Nothing here is sent or written. A credential's secret comes out of one method, `Credential.reveal`, and of nothing else:
not of its repr, not of a pickle.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NoReturn

from ..errors import AuthenticationError

KEY_VARIABLE = "TINKER_API_KEY"
COMMAND_VARIABLE = "TINKER_CREDENTIAL_CMD"
CREDENTIALS_FILE = "~/.tinker/credentials.json"
COMMAND_TIMEOUT_S = 60

# Access headers that some installations require, and the variables that hold their values: secrets like the key.
CLOUDFLARE_HEADERS = {
    "CF-Access-Client-Id": "CLOUDFLARE_ACCESS_CLIENT_ID",
    "CF-Access-Client-Secret": "CLOUDFLARE_ACCESS_CLIENT_SECRET",
}


class Credential:
    """Where a secret comes from, and the secret itself behind `reveal()`."""

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
        """Whether there is a secret or a command; some servers need neither."""
        return bool(self._secret or self._command)

    def reveal(self) -> str:
        """Return the secret; runs the command if that is where it comes from."""
        return _run_command(self._command) if self._command else self._secret

    def __repr__(self) -> str:
        if self.is_command:
            return self.source
        return f"{self.source} {mask_secret(self._secret)}" if self._secret else self.source

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Tinker credential cannot be pickled; make a new Client in the other process")


def find_credential(api_key: str | None, *, official: bool) -> tuple[Credential, Credential | None]:
    """Return the credential to use, and the command's if there is one: argument, variable, command, file."""
    command = _find_command()
    credential = _find_key(api_key, command, official=official) or command or _find_in_file()
    if credential is None and official:
        raise AuthenticationError(
            f"no credential: api_key=, {KEY_VARIABLE}, {COMMAND_VARIABLE} and {CREDENTIALS_FILE} are all empty",
            hint=f"Set {KEY_VARIABLE} to a key from the Tinker console, or try the demo account: tinker_frames.demo.account().",
        )
    return credential or Credential("no credential"), command


def _find_key(api_key: str | None, command: Credential | None, *, official: bool) -> Credential | None:
    """Return the credential of the argument or the variable.

    A key of a form that the official service does not issue gives way to a command, never to the file;
    compatible servers issue keys of any form, so there it is used.
    """
    for source, given in (("api_key argument", api_key), (KEY_VARIABLE, os.environ.get(KEY_VARIABLE))):
        secret = check_secret(given or "", source)
        if not secret:
            continue
        if secret.startswith(("tml-", "eyJ")) or not (official or command):
            return Credential(source, secret=secret)
        if command:
            return command
        raise AuthenticationError(
            f"the credential from {source} is neither an API key (tml-…) nor a JWT (eyJ…)",
            hint="Copy the key from the Tinker console again.",
        )
    return None


def _find_command() -> Credential | None:
    command = os.environ.get(COMMAND_VARIABLE)
    return Credential(COMMAND_VARIABLE, command=command) if command else None


def _find_in_file() -> Credential | None:
    """Return the default key of the SDK's credentials file, if it has one."""
    secret = check_secret(_read_default_key(Path(CREDENTIALS_FILE).expanduser()), CREDENTIALS_FILE)
    return Credential(CREDENTIALS_FILE, secret=secret) if secret else None


def _read_default_key(path: Path) -> str:
    """Return the default key of a credentials file; empty without a file or record. A malformed file raises."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as error:
        problem = type(error).__name__  # its text could quote the file
    else:
        keys = data.get("keys") if isinstance(data, dict) else None
        record = keys.get(str(data.get("default"))) if isinstance(keys, dict) else None
        secret = record.get("key") if isinstance(record, dict) else None
        return secret if isinstance(secret, str) else ""
    raise AuthenticationError(
        f"{CREDENTIALS_FILE} cannot be read ({problem})", hint=f"Repair or remove the file, or set {KEY_VARIABLE}."
    )


def _run_command(command: str) -> str:
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
        return check_secret(secret, f"the command in {COMMAND_VARIABLE}")
    problem = (
        f"took over {COMMAND_TIMEOUT_S} s" if code == -1 else f"ended with code {code}" if code else "printed nothing"
    )
    raise AuthenticationError(
        f"the command in {COMMAND_VARIABLE} {problem}",
        hint="Run it in a shell; it has to print a credential and exit 0.",
    )


def access_headers() -> tuple[tuple[str, str], ...]:
    """Return the access headers that some installations require, if the environment has them."""
    given = ((header, check_secret(os.environ.get(name, ""), name)) for header, name in CLOUDFLARE_HEADERS.items())
    return tuple((header, value) for header, value in given if value)


def mask_secret(secret: str) -> str:
    """Return what may be shown of a secret: its kind and its last four characters."""
    kind = next((prefix for prefix in ("tml-", "eyJ") if secret.startswith(prefix)), "")
    return f"{kind}…{secret[-4:]}" if len(secret) >= 8 else "…"


def check_secret(secret: str, source: str) -> str:
    """Return a credential that is valid in a header, trimmed; an invalid one raises, without being shown."""
    secret = secret.strip()
    if not secret.isprintable() or not secret.isascii():
        raise AuthenticationError(f"the credential from {source} contains characters that are not valid in a key")
    return secret
