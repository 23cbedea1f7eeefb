"""A server of a year of billing events, made once for each window: `python -m tests.benchmarks.billing_server EVENTS LATENCY_S`.

The demo server derives events from its account for each answer, which takes longer than to read them.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOURS = 365 * 24
MODELS = ("Qwen/Qwen3-8B", "meta-llama/Llama-3.2-3B", "openai/gpt-oss-20b")
SESSIONS = [f"{number:08x}-2d7a-5c44-9f1b-7a3c1e2d4f60" for number in range(400)]
KINDS: tuple[dict[str, Any], ...] = (
    {"type": "training"},
    {"type": "sampling_sample"},
    {"type": "sampling_prefill", "cached": False},
    {"type": "storage", "free": False},
)


class Handler(BaseHTTPRequestHandler):
    """Answers billing events, an empty search of sessions, and 404 for everything else, after the latency."""

    protocol_version = "HTTP/1.1"
    per_hour, latency_s = 12, 0.0

    def do_GET(self) -> None:
        """Answer a window, or that there is none."""
        parts = urlsplit(self.path)
        if not parts.path.endswith("/billing/usage/events"):
            self.answer(b'{"detail":"Not Found"}', 404)
            return
        query = parse_qs(parts.query)
        bounds = (datetime.fromisoformat(query[name][0]) for name in ("starting_on", "ending_before"))
        self.answer(make_answer(*bounds, self.per_hour))

    def do_POST(self) -> None:
        """Answer that there are no sessions, or no such route."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_search = self.path.endswith("/sessions/search")
        self.answer(
            b'{"sessions":[],"next_cursor":null}' if is_search else b'{"detail":"Not Found"}', 200 if is_search else 404
        )

    def answer(self, content: bytes, status: int = 200) -> None:
        """Send an answer after the latency."""
        time.sleep(self.latency_s)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@cache
def make_answer(start: datetime, end: datetime, per_hour: int) -> bytes:
    """Return the events of a window as the official service sends them, the same in every run."""
    hours = int((end - start).total_seconds()) // 3600
    rng = random.Random(int(start.timestamp()))
    data = [make_event(start + timedelta(hours=hour), rng) for hour in range(hours) for _ in range(per_hour)]
    known = {key: {"user_metadata": {"team": f"team {place % 7}"}} for place, key in enumerate(SESSIONS)}
    through = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return json.dumps({"data": data, "sessions": known, "cost_data_through": stamp(through)}).encode()


def make_event(hour: datetime, rng: random.Random) -> dict[str, Any]:
    """Return an event of an hour; one in ten is not priced, one in four is of storage."""
    info, number = rng.choice(KINDS), rng.randrange(1, 3_000_000)
    is_storage = info["type"] == "storage"
    quantity = {"gigabyte_hours": number / 1000} if is_storage else {"token_count": number}
    return {
        "bucket_start": stamp(hour),
        "bucket_end": stamp(hour + timedelta(hours=1)),
        "base_model": None if is_storage else rng.choice(MODELS),
        "user_id": f"tml:organization_user:{number % 9}",
        "user_name": f"Person {number % 9}",
        "session_id": None if is_storage else rng.choice(SESSIONS),
        "project_id": f"project-{number % 5}",
        "estimated_cost_usd": None if number % 10 == 0 else round(number * 4e-7, 6),
        "effective_rate_usd_per_million_tokens": None if is_storage else 0.4,
        "effective_rate_usd_per_gigabyte_month": 0.1 if is_storage else None,
        "event_info": info | quantity,
    }


def stamp(moment: datetime) -> str:
    """Return a time as the service writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    Handler.per_hour, Handler.latency_s = round(int(sys.argv[1]) / HOURS) or 1, float(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"READY http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
