"""Signed URLs of the server's own object storage, and the files behind them."""

from __future__ import annotations

import io
import tarfile
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request, Response

from ..data.state import ServiceError
from .dependencies import EndpointRouter, get_backend

if TYPE_CHECKING:
    from datetime import datetime

    from ..data.records import Checkpoint

router = EndpointRouter()

FILES = {
    "adapter_config.json": b'{"peft_type": "LORA", "r": 32}\n',
    "adapter_model.safetensors": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    "checkpoint_complete": b"",
}

TRACES = {"trace.pftrace": b"a trace\n"}


def sign_file_url(request: Request, row: Checkpoint, file: str) -> str:
    """Return the signed URL of a file of a checkpoint; it needs no API key."""
    return sign_url(request, f"/storage/{row.run.training_run_id}/{row.key}/{file}")


def sign_url(request: Request, path: str) -> str:
    """Return the signed URL of a storage path on this server."""
    signature = get_backend(request).tokens.sign_path(path)
    return f"{str(request.base_url).rstrip('/')}{quote(path)}?X-Sig={signature}"


def sign_document_url(request: Request, path: str, content: bytes) -> str:
    """Put JSON at a storage path, and return its signed URL."""
    get_backend(request).documents[path] = content
    return sign_url(request, path)


def compute_url_expiry(request: Request, now: datetime) -> datetime:
    """Return the time at which a URL that is signed now expires."""
    return now + timedelta(minutes=get_backend(request).switches.url_minutes)


def format_http_date(time: datetime) -> str:
    """Format a time as an HTTP date."""
    return format_datetime(time, usegmt=True)


def build_archive() -> bytes:
    """Return a small tar archive with the files of a checkpoint."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@router.serve()
async def get_storage(request: Request) -> Response:
    """Return a file of a signed URL; an API key is refused, since clients must not send it to storage."""
    if "x-api-key" in request.headers:
        raise ServiceError(400, "Signed URLs take no API key.")
    path: str = request.scope["path"]
    if request.query_params.get("X-Sig") != get_backend(request).tokens.sign_path(path):
        raise ServiceError(403, "Signature does not match.")
    document = get_backend(request).documents.get(path)
    if document is not None:
        return Response(document, media_type="application/json")
    name = path.rpartition("/")[2]
    content = build_archive() if name == "archive.tar" else (FILES | TRACES).get(name)
    if content is None:
        raise ServiceError(404, "No such file.")
    return Response(content, media_type="application/x-tar" if name == "archive.tar" else "application/octet-stream")
