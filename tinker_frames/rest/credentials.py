"""The credential of an account: from an argument, the environment, a command or the SDK's credentials file.

Nothing here is sent or written. A credential is a `Secret` from the moment it is read, so that no traceback shows it.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ..errors import AuthenticationError
from .adapter import get_time_left
from .secret import Secret
from .threads import start_thread

KEY_VARIABLE = "TINKER_API_KEY"
COMMAND_VARIABLE = "TINKER_CREDENTIAL_CMD"
CREDENTIALS_FILE = "~/.tinker/credentials.json"
COMMAND_TIMEOUT_S = 60
LAST_OUTPUT_S = 0.5  # for what a command printed just before it ended, while something else holds the output open
MOST_PRINTED = 64 * 2**10  # bytes; more than any header holds

# Access headers that some installations require, and the variables that hold their values: secrets like the key.
CLOUDFLARE_HEADERS = {
    "CF-Access-Client-Id": "CLOUDFLARE_ACCESS_CLIENT_ID",
    "CF-Access-Client-Secret": "CLOUDFLARE_ACCESS_CLIENT_SECRET",
}


class Credential:
    """Where a secret comes from, and the secret itself behind `reveal()`."""

    __slots__ = ("_command", "_secret", "source")

    def __init__(self, source: str, *, secret: Secret | None = None, command: Secret | None = None) -> None:
        self.source = source
        self._secret = secret or Secret("")
        self._command = command

    @property
    def is_command(self) -> bool:
        """Whether it is the output of a command, which is run each time."""
        return bool(self._command)

    @property
    def exists(self) -> bool:
        """Whether there is a secret or a command; some servers need neither."""
        return bool(self._secret or self._command)

    def reveal(self) -> Secret:
        """Return the secret; runs the command if there is one."""
        return _run_command(self._command) if self._command else self._secret

    def __repr__(self) -> str:
        return self.source if self.is_command or not self._secret else f"{self.source} {self._secret.mask()}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Tinker credential cannot be pickled; make a new Client in the other process")


def find_credential(api_key: Secret | None, *, official: bool) -> tuple[Credential, Credential | None]:
    """Return the credential to use, and the command's if there is one: argument, variable, command, file.

    An empty argument means no credential, regardless of the environment.
    """
    if api_key is not None and not api_key:
        credential, command = None, None
    else:
        command = _find_command()
        credential = _find_key(api_key, command, official=official) or command or _find_in_file()
    if credential is None and official:
        given = f"api_key=, {KEY_VARIABLE}, {COMMAND_VARIABLE} and {CREDENTIALS_FILE} are missing or empty"
        raise AuthenticationError(
            "no credential: api_key= is empty" if api_key is not None else f"no credential: {given}",
            hint=f"Set {KEY_VARIABLE} to a key from the Tinker console, or try the demo account: "
            "tkf.demo.account(), or `tinker-frames demo`.",
        )
    return credential or Credential("no credential"), command


def _find_key(api_key: Secret | None, command: Credential | None, *, official: bool) -> Credential | None:
    """Return the credential of the argument or the variable.

    A key of a form that the official service does not issue gives way to a command, never to the file;
    compatible servers issue keys of any form, so there it is used.
    """
    variable = Secret(os.environ.get(KEY_VARIABLE, ""))
    for source, secret in (("api_key argument", api_key), (KEY_VARIABLE, variable)):
        if not secret:
            continue
        check_secret(secret, source)
        if secret.is_official or not (official or command):
            return Credential(source, secret=secret)
        if command:
            return command
        raise AuthenticationError(
            f"the credential from {source} is neither an API key (tml-…) nor a JWT (eyJ…)",
            hint="Copy the key from the Tinker console again.",
        )
    return None


def _find_command() -> Credential | None:
    command = Secret(os.environ.get(COMMAND_VARIABLE, ""))
    return Credential(COMMAND_VARIABLE, command=command) if command else None


def _find_in_file() -> Credential | None:
    """Return the default key of the SDK's credentials file, if it has one."""
    path = Path(os.path.expanduser(CREDENTIALS_FILE))  # noqa: PTH111  # as it is where no home directory is known
    secret = check_secret(_read_default_key(path), CREDENTIALS_FILE)
    return Credential(CREDENTIALS_FILE, secret=secret) if secret else None


def _read_default_key(path: Path) -> Secret:
    """Return the default key of a credentials file; empty without a file or record. Raises for a malformed file."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Secret("")
    except (OSError, ValueError, RecursionError) as error:
        problem = type(error).__name__  # its text could quote the file
    else:
        keys = data.get("keys") if isinstance(data, dict) else None
        record = keys.get(str(data.get("default"))) if isinstance(keys, dict) else None
        secret = record.get("key") if isinstance(record, dict) else None
        return Secret(secret if isinstance(secret, str) else "")
    raise AuthenticationError(
        f"{CREDENTIALS_FILE} cannot be read ({problem})", hint=f"Repair or remove the file, or set {KEY_VARIABLE}."
    )


def _run_command(command: Secret) -> Secret:
    """Return what a credential command prints, trimmed; neither its output nor its errors go into a message."""
    limit = max(0.1, min(COMMAND_TIMEOUT_S, get_time_left()))
    code, secret = _capture(command, limit)
    if code == 0 and secret:
        return check_secret(secret, f"the command in {COMMAND_VARIABLE}")
    problem = f"ended with code {code}" if code else "printed nothing"
    raise AuthenticationError(
        f"the command in {COMMAND_VARIABLE} {f'did not end within {limit:.0f} s' if code is None else problem}",
        hint="Run it in a shell: it has to print a credential and exit with 0.",
    )


def _capture(command: Secret, limit: float) -> tuple[int | None, Secret]:
    """Return a command's exit code, None if it did not end in time, and what it printed.

    A process that it leaves in the background is not waited for, although that may hold the output open.
    """
    process = subprocess.Popen(  # noqa: S602  # the variable is a shell command by its contract
        command.reveal(), shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    output, code = _Output(process), None
    reading = start_thread(output.read, "tinker-credential")
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        return None, Secret("")
    finally:
        if code is None:
            _kill(process)
            process.wait()
    with suppress(TimeoutError):
        reading.result(LAST_OUTPUT_S)
    return code, output.as_secret()


class _Output:
    """What a process prints, which no repr shows; of what is longer than any credential, no more than that."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._content = process, bytearray()

    def read(self) -> None:
        """Read until the output ends or is too long; a process that goes on printing then is ended by that."""
        with self._process.stdout or io.BytesIO() as output:
            while len(self._content) < MOST_PRINTED and (chunk := os.read(output.fileno(), MOST_PRINTED)):
                self._content += chunk

    def as_secret(self) -> Secret:
        """Return what was read so far."""
        return Secret(self._content[:MOST_PRINTED].decode(errors="replace"))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started; it leads a group of its own where there are groups."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()


def access_headers() -> tuple[tuple[str, Secret], ...]:
    """Return the access headers that some installations require, if the environment has them."""
    given = ((header, name, Secret(os.environ.get(name, ""))) for header, name in CLOUDFLARE_HEADERS.items())
    return tuple((header, check_secret(value, name)) for header, name, value in given if value)


def check_secret(secret: Secret, source: str) -> Secret:
    """Return a credential that is valid in a header; an invalid one raises, without being shown."""
    if not secret.fits_header:
        raise AuthenticationError(
            f"the credential from {source} contains characters that are not valid in a key",
            hint=f"Correct {source}: a header holds one line of printable ASCII.",
        )
    return secret
