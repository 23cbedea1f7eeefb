"""The names, models and metadata that the generated account is made of, believable or hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = TypeVar("Value")


class BaseModel(NamedTuple):
    """A base model: bytes per LoRA rank, parameters in billions, context length in tokens."""

    name: str
    bytes_per_rank: int
    billions: float
    context: int


MODELS = [
    BaseModel("meta-llama/Llama-3.1-8B", 5_242_880, 8.0, 131_072),
    BaseModel("Qwen/Qwen3-8B", 5_455_872, 8.2, 32_768),
    BaseModel("meta-llama/Llama-3.2-1B", 1_409_024, 1.2, 131_072),
    BaseModel("openai/gpt-oss-20b", 14_893_056, 20.9, 131_072),
    BaseModel("Qwen/Qwen3-30B-A3B-Instruct-2507", 31_981_568, 30.5, 262_144),
    BaseModel("meta-llama/Llama-3.3-70B-Instruct", 25_886_720, 70.6, 131_072),
    BaseModel("Qwen/Qwen3-4B-Instruct-2507", 4_128_768, 4.0, 262_144),
    BaseModel("deepseek-ai/DeepSeek-V3.1", 171_442_176, 671.0, 131_072),
    BaseModel("moonshotai/Kimi-K2-Thinking", 246_415_360, 1026.0, 262_144),
    BaseModel("meta-llama/Llama-3.2-3B", 3_039_232, 3.2, 131_072),
    BaseModel("openai/gpt-oss-120b", 40_108_032, 116.8, 131_072),
    BaseModel("Qwen/Qwen3-32B", 16_777_216, 32.8, 131_072),
]

RANKS = [32, 16, 64, 8, 32, 128, 4, 32, 1, 256]

PEOPLE = [
    ("Ada Marlowe", "ada"),
    ("Jules Okafor", "jules"),
    ("Zoë Brandão", "zoe"),
    ("李 明", "li.ming"),
    ("Sam O'Neil", "sam"),
]

PROJECTS = ["proj-default", "proj-evals", "proj-math-rl", "proj-résumé"]
PRIVATE_PROJECT = "proj-board-only"

# One of each kind of unsafe text: HTML, spreadsheet formulas, terminal escapes, quoting, length, bidi, JSON literals.
HOSTILE_TEXTS = [
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil")',
    "+1",
    "@SUM(A1:A9)",
    "-2+3",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "two\nlines\r\nand\ta tab",
    "\"double\" and 'single', with; separators",
    "{braces} %s %(name)d \\n",
    "\u202egnp.exe",
    "null",
    "NaN",
    "x" * 5000,
    "zero\u200bwidth",
    "</script><script>alert(2)</script>",
    " ",
]

# A checkpoint name may contain any character but a slash.
HOSTILE_NAMES = ["<img src=x onerror=alert(1)>", "+1", "@SUM(A1)", "=1+1", "-2", "why? #1", 'it\'s "quoted"', "a;b,c"]


class Texts(NamedTuple):
    """The texts of an account.

    Attributes
    ----------
    display_names, session_metadata
        Of sessions, in turn.
    notes
        The metadata of checkpoints of some runs, in turn.
    various
        The metadata of checkpoints of other runs, in turn.
    namings
        The ways in which runs name their checkpoints; runs of any other way name them by step.
    """

    display_names: list[str | None]
    session_metadata: list[dict[str, str] | None]
    notes: list[str]
    various: list[dict[str, str]]
    namings: frozenset[str]


CHECKPOINT_NAMES: dict[str, Callable[[int, int, bool], str]] = {
    "step": lambda _n, step, last: "final" if last else f"step-{step:06d}",
    "number": lambda n, _step, _last: f"{n:04d}",
    "epoch": lambda n, _step, last: f"epoch {n} (best)" if last else f"epoch {n}",
    "bare": lambda _n, step, last: "final" if last else str(step),
    "french": lambda _n, step, last: "dernière" if last else f"étape {step}",
    "chinese": lambda _n, step, last: f"检查点-{step}-🚀" if last else f"检查点-{step}",
    "percent": lambda n, _step, last: "100% done" if last else f"{n}%20 of a%2Fb",
    "hostile": lambda n, step, _last: HOSTILE_NAMES[n] if n < len(HOSTILE_NAMES) else f"step-{step:06d}",
}

# Of an account of people who mean well: what a newcomer sees first.
BELIEVABLE = Texts(
    display_names=[
        "nightly sft",
        "GSM8K RL sweep",
        None,
        "résumé parser v2",
        "math RL, curriculum",
        "distill 70B into 8B",
        "DPO on helpfulness",
        "prompt ablation (temperature 0.7)",
        None,
        "tool use, long context",
        "code review sft",
        "Nightly SFT, second try",
        "reward model: helpful vs harmless",
        "tokenizer check",
        "scratch",
        None,
    ],
    session_metadata=[
        {"team": "evals"},
        None,
        {"team": "math-rl", "owner": "Zoë"},
        {},
        {"note": "second attempt", "team": "evals"},
        {"git": "3f2c9ab", "config": "configs/sft.yaml"},
    ],
    notes=["warm start", "new tokenizer", "twice the data", "longer context"],
    various=[
        {"note": "résumé parser", "author": "Zoë"},
        {"note": "baseline", "author": "Ada"},
        {"dataset": "gsm8k", "split": "train"},
        {"dataset": "math", "split": "train"},
    ],
    namings=frozenset({"step", "number", "epoch", "bare", "french"}),
)


def _replace_some(values: list[Value], others: Mapping[int, Value]) -> list[Value]:
    """Return values with others at some places."""
    return [others.get(place, value) for place, value in enumerate(values)]


# As every client must survive it: what tests are made of.
HOSTILE = Texts(
    display_names=_replace_some(
        BELIEVABLE.display_names,
        {
            4: "数学 RL 🚀",
            6: "<img src=x onerror=alert(1)>",
            10: '=HYPERLINK("http://evil")',
            13: "do not delete!!!",
            15: "",
        },
    ),
    session_metadata=_replace_some(
        BELIEVABLE.session_metadata, {4: {"note": "</script><script>alert(2)</script>", "team": "evals"}}
    ),
    notes=HOSTILE_TEXTS,
    various=_replace_some(
        BELIEVABLE.various,
        {
            1: {"note": "数学 推理", "step": "12"},
            2: {"emoji": "🚀🔥", "mixed": "naïve café — ½"},
            3: {"clé": "valeur", "ключ": "значение"},
        },
    ),
    namings=frozenset(CHECKPOINT_NAMES),
)
