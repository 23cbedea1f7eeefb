import assert from "node:assert/strict";
import { test } from "node:test";
import { isWebAddress } from "../src/link.js";

test("addresses of the web are links", () => {
  for (const text of [
    "https://wandb.ai/team/project/runs/a1b2c3",
    "http://localhost:8080/runs?id=1&tab=charts#loss",
    "HTTPS://example.com",
    "https://example.com/~me/a@b/(c)/%20",
  ])
    assert.ok(isWebAddress(text), text);
});

test("hostile and half addresses stay text", () => {
  for (const text of [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://example.com",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//example.com",
    "https:example.com",
    "https://",
    "https://wandb.ai@evil.example/",
    "https://wandb.ai:pass@evil.example/",
    "https://wandb.ai\\@evil.example/",
    "https:\\\\evil.example",
    "https://evil.example\u2044wandb.ai/",
    "https://w\u0430ndb.ai/", // a Cyrillic letter
    "https://wandb.ai/\u202egpj.exe",
    "https://wandb.ai/\njavascript:alert(1)",
    "\u0001https://wandb.ai/",
    " https://wandb.ai/",
    "https://wandb.ai/ and more",
    'https://wandb.ai/"onclick="alert(1)',
    "https://wandb.ai/<b>",
    "https://-wandb.ai",
    "https://wandb.ai:999999/",
    "https://wandb.ai:99999/", // beyond the ports there are
    `https://wandb.ai/${"a".repeat(2000)}`,
    "see https://wandb.ai/",
    "",
  ])
    assert.ok(!isWebAddress(text), JSON.stringify(text));
});
