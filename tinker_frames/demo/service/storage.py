"""Signed URLs of the demo's own object storage, and the small files behind them."""

from __future__ import annotations

import io
import tarfile
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from ..data.state import RefusedError
from .context import service_of

if TYPE_CHECKING:
    from datetime import datetime

    from ..data.records import Checkpoint

router = APIRouter()

FILES = {
    "adapter_config.json": b'{"peft_type": "LORA", "r": 32}\n',
    "adapter_model.safetensors": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    "checkpoint_complete": b"",
}

TRACES = {"trace.pftrace": b"a trace\n"}


def signed_url(request: Request, row: Checkpoint, file: str) -> str:
    """Return a URL of one file of a checkpoint on this server that needs no key."""
    path = f"/storage/{row.run.training_run_id}/{row.key}/{file}"
    signature = service_of(request).tokens.sign(path)
    return f"{str(request.base_url).rstrip('/')}{quote(path)}?X-Sig={signature}"


def url_expiry(request: Request, now: datetime) -> datetime:
    """Return when a URL signed now runs out."""
    return now + timedelta(minutes=service_of(request).switches.url_minutes)


def http_date(time: datetime) -> str:
    """Return a time as headers have it."""
    return format_datetime(time, usegmt=True)


def archive() -> bytes:
    """Return a tiny tar archive with the files of a checkpoint."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@router.get("/storage/{file:path}")
async def get_storage(request: Request) -> Response:
    """Serve a signed file; a key that comes along is refused, since it has no business here."""
    if "x-api-key" in request.headers:
        raise RefusedError(400, "Signed URLs take no API key.")
    path: str = request.scope["path"]
    if request.query_params.get("X-Sig") != service_of(request).tokens.sign(path):
        raise RefusedError(403, "Signature does not match.")
    name = path.rpartition("/")[2]
    content = archive() if name == "archive.tar" else (FILES | TRACES).get(name)
    if content is None:
        raise RefusedError(404, "No such file.")
    return Response(content, media_type="application/x-tar" if name == "archive.tar" else "application/octet-stream")
