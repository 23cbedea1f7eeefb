// What an action asks, the plan that it leads to, how far it is, and how each row ended.

class DeskPanel {
  constructor(send, acts) {
    this.send = send;
    this.acts = acts; // the buttons that begin it
    this.stage = "";
    this.typed = "";
    this.element = el("section", { class: "tkf-desk", role: "region", "aria-label": "action", hidden: true, on: { keydown: (event) => this.key(event) } });
  }

  update(desk) {
    const moved = desk.stage !== this.stage || desk.act !== this.act;
    if (moved) this.typed = "";
    this.stage = desk.stage;
    this.act = desk.act;
    this.element.hidden = !desk.stage && !desk.note;
    if (desk.stage === "work" && !moved && this.progress) return this.progressed(desk);
    const active = document.activeElement;
    const isOurs = active === document.body || this.element.contains(active) || this.acts.contains(active);
    const note = desk.note ? el("div", { class: desk.stage === "outcome" ? "tkf-note" : "tkf-error", role: "alert" }, desk.note) : null;
    const drawn = desk.stage ? this[desk.stage](desk) : [this.buttons(this.closing())];
    redrawn(this.element, () => this.element.replaceChildren(...[note, ...drawn].filter(Boolean)));
    if (moved && isOurs) this.focus(desk);
  }

  // Whoever types elsewhere meanwhile is left alone.
  focus(desk) {
    const named = (root, name) => [...root.querySelectorAll("[data-name]")].find((element) => element.dataset.name === name);
    if (!desk.stage) return focusFirst(named(this.acts, this.begun), this.element.closest(".tkf").querySelector(".tkf-grid"));
    const back = desk.stage === "confirm" && this.ticked ? named(this.element, this.ticked) : null;
    focusFirst(back, this.element.querySelector("[data-first]:enabled"), named(this.element, "close"));
    this.begun = desk.act;
    if (desk.stage !== "work") this.ticked = "";
  }

  key(event) {
    if (event.key !== "Escape" || this.stage === "work") return;
    event.stopPropagation();
    this.send({ do: "close" });
  }

  closing(text = "Close") {
    return button(text, () => this.send({ do: "close" }), { "data-name": "close" });
  }

  buttons(...made) {
    return el("div", { class: "tkf-desk-buttons" }, ...made);
  }

  title(...text) {
    return el("h4", { class: "tkf-desk-title" }, ...text);
  }

  // ── what an action asks ──

  ask(desk) {
    return [this.title(`${desk.label}: ${desk.target}`), el("div", { class: "tkf-muted" }, desk.doc), ...this[`ask_${desk.asks}`](desk)];
  }

  answer(given) {
    this.send({ do: "answer", given });
  }

  ask_ttl() {
    const own = el("input", { class: "tkf-input", placeholder: "e.g. 30d or 12h", "aria-label": "length of time", "data-name": "ttl", on: { keydown: (event) => event.key === "Enter" && this.answer({ ttl: own.value }) } });
    const picks = ["1d", "7d", "30d", "90d", "365d"].map((ttl, place) => button(ttl.replace("d", " d"), () => this.answer({ ttl }), { "data-name": ttl, "data-first": place === 0 }));
    return [this.buttons(...picks, button("never", () => this.answer({ never: true }), { "data-name": "never" }), own, button("Look at the plan", () => this.answer({ ttl: own.value }), { "data-name": "own" }), this.closing("Cancel"))];
  }

  ask_path(desk) {
    const path = el("input", { class: "tkf-input tkf-wide", value: desk.path, "aria-label": "file", "data-name": "path", "data-first": true, on: { keydown: (event) => event.key === "Enter" && write() } });
    const over = el("input", { type: "checkbox", "data-name": "overwrite" });
    const theirs = el("input", { type: "checkbox", "data-name": "checkpoints" });
    const write = () => this.answer({ path: path.value, overwrite: over.checked, checkpoints: theirs.checked });
    const leads = desk.leads ? el("label", { class: "tkf-tick" }, theirs, " their checkpoints instead of these rows") : null;
    return [el("div", { class: "tkf-muted" }, ".parquet, .csv, .feather or .json, beside this notebook"), this.buttons(path, leads, el("label", { class: "tkf-tick" }, over, " overwrite"), button("Write", write, { class: "tkf-button tkf-main", "data-name": "write" }), this.closing("Cancel"))];
  }

  ask_rule() {
    const last = el("input", { type: "number", class: "tkf-input tkf-short", min: 0, value: 3, "aria-label": "keep the newest of each run", "data-name": "last", "data-first": true });
    const newer = el("input", { class: "tkf-input tkf-short", placeholder: "2d", "aria-label": "keep what is newer than", "data-name": "newer" });
    const ticks = { final: "named final", public: "public", sampled: "loaded by a sampler" };
    const boxes = Object.fromEntries(Object.keys(ticks).map((name) => [name, el("input", { type: "checkbox", "data-name": name })]));
    for (const box of Object.values(boxes)) box.checked = true;
    const look = (after) => this.answer({ last: Number(last.value), newer: newer.value, after, ...Object.fromEntries(Object.entries(boxes).map(([name, box]) => [name, box.checked])) });
    return [
      el("div", { class: "tkf-rule" }, "Keep the newest ", last, " of each run, those newer than ", newer, ", and those that are ", ...Object.entries(ticks).flatMap(([name, text]) => [el("label", { class: "tkf-tick" }, boxes[name], ` ${text}`)])),
      this.buttons(button("Expire the rest in 24 h", () => look("24h"), { class: "tkf-button tkf-main", "data-name": "expire" }), button("Delete the rest…", () => look(""), { class: "tkf-button tkf-danger", "data-name": "delete" }), this.closing("Cancel")),
    ];
  }

  // ── the plan ──

  confirm(desk) {
    const groups = desk.groups.map((group) => this.group(group));
    const guards = desk.guards.map((guard) => this.guard(guard, desk.guards));
    const run = button(`${capital(desk.verb)} ${counted(desk.number)}`, () => this.send({ do: "confirm", typed: this.typed }), {
      class: `tkf-button ${desk.typed ? "tkf-danger" : "tkf-main"}`, "data-name": "run", "data-first": !desk.typed, disabled: desk.number === 0 || (desk.typed && !this.matches(desk.number)),
    });
    const typed = desk.typed && desk.number > 0
      ? el("label", { class: "tkf-tick" }, `Type ${desk.number} to delete: `, el("input", {
          class: "tkf-input tkf-short", inputmode: "numeric", autocomplete: "off", "data-name": "typed", "data-first": true, value: this.typed,
          on: {
            input: (event) => ((this.typed = event.target.value), (run.disabled = !this.matches(desk.number))),
            keydown: (event) => event.key === "Enter" && !run.disabled && run.click(),
          },
        }))
      : null;
    return [
      this.title(capital(desk.lines[0] ?? "")),
      desk.hidden ? el("div", { class: "tkf-warn" }, `${counted(desk.hidden)} of them are not in this view: the filters hide them.`) : null,
      el("ul", { class: "tkf-lines" }, ...desk.lines.slice(1).map((line) => el("li", {}, line)), ...(desk.rule ? [el("li", {}, `keeps ${desk.rule}`)] : [])),
      el("div", { class: "tkf-groups" }, ...groups),
      this.listed(desk.rows),
      guards.length ? el("div", { class: "tkf-guards" }, "Do it also for those that are: ", ...guards) : null,
      this.buttons(typed, run, this.closing("Cancel")),
    ];
  }

  matches(number) {
    return this.typed.trim().replaceAll(",", "") === String(number);
  }

  group(group) {
    const words = { send: "will be sent", held: "set aside", unchanged: "already so", refused: "refused" };
    return button(`${counted(group.rows)} ${words[group.verdict] ?? group.verdict}${group.reason ? `: ${group.reason}` : ""}`, () => this.send({ do: "look", verdict: group.verdict, reason: group.reason }), {
      class: `tkf-button tkf-group tkf-${group.verdict}`, "aria-expanded": String(group.open), title: "look at these rows", "data-name": `${group.verdict} ${group.reason}`,
    });
  }

  guard(guard, guards) {
    const box = el("input", { type: "checkbox", "data-name": `guard ${guard.name}`, on: { change: () => (this.ticked = box.dataset.name, this.send({ do: "allow", guards: guards.filter((other) => (other === guard ? !guard.on : other.on)).map((other) => other.name) })) } });
    box.checked = guard.on;
    return el("label", { class: "tkf-tick" }, box, ` ${{ public: "public", newest: "the newest of their run", sampler: "loaded by a sampler" }[guard.name] ?? guard.name}`);
  }

  listed([names, ...rows], look = "") {
    if (!names) return null;
    const text = (value) => (Array.isArray(value) ? value[0] : value);
    const said = names.map((_, place) => rows.some((row) => text(row[place]))); // a column that says nothing is left out
    const columns = names.filter((_, place) => said[place]);
    const cells = rows.map((row) => row.filter((_, place) => said[place]));
    return el("div", { class: `tkf-listed ${look}`, tabindex: 0, role: "group", "aria-label": "rows of the plan", "data-name": "listed" }, el("table", {}, el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", {}, name)))), el("tbody", {}, ...cells.map((row) => el("tr", {}, ...row.map((value) => el("td", { title: text(value) }, text(value))))))));
  }

  // ── what goes on, and what became of it ──

  work(desk) {
    this.fill = el("div", { class: "tkf-progress-fill" });
    this.said = el("div", { class: "tkf-progress-said" }); // changes too often to be read out: the bar has it as its value
    this.stop = button("Cancel", () => this.send({ do: "cancel" }), { "data-name": "cancel", "data-first": true });
    this.progress = el("div", { class: "tkf-progress", role: "progressbar", "aria-label": desk.what, "aria-valuemin": 0 }, this.fill);
    this.progressed(desk);
    return [this.title(`${capital(desk.what)} …`), this.progress, this.said, this.buttons(this.stop)];
  }

  progressed(desk) {
    const known = desk.total > 0;
    this.progress.classList.toggle("tkf-unknown", !known);
    for (const [name, value] of [["aria-valuemax", desk.total], ["aria-valuenow", desk.done]])
      known ? this.progress.setAttribute(name, value) : this.progress.removeAttribute(name);
    this.fill.style.width = known ? `${(100 * desk.done) / desk.total}%` : "";
    this.said.textContent = howFar(desk);
    this.progress.setAttribute("aria-valuetext", this.said.textContent);
    this.stop.disabled = desk.stopping;
  }

  outcome(desk) {
    this.progress = null;
    const counts = (desk.counts ?? []).map((count) => this.count(count));
    const failed = desk.failed?.length ? this.listed([["tinker_path", "outcome", "why"], ...desk.failed], "tkf-failures") : null;
    return [
      counts.length ? this.title(`${desk.label}: `, ...counts) : null,
      desk.rows?.length ? this.listed(desk.rows) : failed,
      this.buttons(
        desk.undo ? button("Undo", () => this.send({ do: "undo" }), { "data-name": "undo" }) : null,
        desk.retry ? button("Try again what failed", () => this.send({ do: "retry" }), { "data-name": "retry" }) : null,
        button("Close", () => this.send({ do: "close" }), { "data-name": "close", "data-first": true }),
      ),
    ];
  }

  count({ outcome, rows, open }) {
    const mark = { done: "✓", failed: "✕", unknown: "?" }[outcome] ?? "–";
    return button(`${mark} ${counted(rows)} ${outcome}`, () => this.send({ do: "look", verdict: outcome }), {
      class: `tkf-button tkf-group tkf-outcome tkf-${outcome}`, "aria-expanded": String(open), title: "look at these rows", "data-name": `outcome ${outcome}`,
    });
  }
}

const howFar = ({ part, done, total, rate, waiting, stopping }) => {
  const rows = total > 0 ? `${counted(done)} of ${counted(total)}` : done ? counted(done) : "";
  const parts = [[part, rows].filter(Boolean).join(": "), rate ? `${counted(rate)} a second` : "", waiting, stopping ? "stopping: what is under way ends first" : ""];
  return parts.filter(Boolean).join(" · ");
};

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
