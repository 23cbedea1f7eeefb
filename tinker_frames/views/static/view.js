// The whole view: the parts in their places, and the messages between them and the kernel.

const SILENT_MS = 8000; // after which a kernel that does not answer is said to be busy or gone
const GONE = "The kernel of this view is gone. Run this cell again.";

class View {
  constructor(model, host) {
    this.model = model;
    this.root = el("div", { class: "tkf", "data-tkf": unique() });
    const send = (message) => this.send(message);
    this.grid = new Grid(send, (text) => this.say(text));
    this.bar = new Bar(send, this.root);
    this.pictures = new Pictures(send);
    this.acts = el("div", { class: "tkf-acts", role: "toolbar", "aria-label": "actions" });
    this.desk = new DeskPanel(send, this.acts);
    this.trail = el("nav", { class: "tkf-trail", "aria-label": "tables" });
    this.count = el("span", { class: "tkf-count", role: "status" });
    this.age = el("span", { class: "tkf-age tkf-muted" });
    this.banner = el("div", { class: "tkf-warn tkf-banner", role: "alert", hidden: true });
    this.noted = el("span", { class: "tkf-noted", role: "status" });
    this.far = el("span", { class: "tkf-muted" }); // changes too often to be read out
    this.hush = button("×", () => (this.say(""), this.send({ do: "hush" })), { class: "tkf-link", "aria-label": "close this note" });
    this.stop = button("Cancel", () => this.send({ do: "stop" }), { class: "tkf-link", "data-name": "stop" });
    this.note = el("div", { class: "tkf-note", hidden: true }, this.noted, " ", this.far, " ", this.hush, this.stop);
    this.chosen = el("span", { class: "tkf-chosen-count", role: "status" });
    this.tools = el("span", { class: "tkf-tools" });
    this.root.append(
      el("div", { class: "tkf-line tkf-top" }, this.trail, this.count, el("span", { class: "tkf-spring" }), this.age, this.tools),
      this.banner, this.note, this.bar.element,
      el("div", { class: "tkf-line tkf-actions" }, this.chosen, this.acts), this.desk.element,
      el("div", { class: "tkf-middle" }, this.grid.element, this.pictures.element), this.bar.popover.element,
    );
    this.listen(host);
    host.append(this.root);
    this.hideStatic();
    for (const name of ["_head", "_bar", "_grid", "_choice", "_facet", "_pictures", "_desk"]) this.follow(name);
    this.clock = setInterval(() => this.drawAge(), 5000);
    this.send({ do: "ready" });
  }

  remove() {
    clearInterval(this.clock);
    clearTimeout(this.silence);
    this.model.off("msg:custom", this.heard);
    this.model.off("comm_live_update", this.cut);
    for (const [name, draw] of this.followed) this.model.off(`change:${name}`, draw);
    this.grid.remove();
    this.bar.popover.remove();
  }

  // ── messages ──

  // A kernel that has gone makes sending fail, at once or in silence.
  post(message) {
    try {
      this.model.send(message);
      return true;
    } catch {
      this.silent(GONE);
      return false;
    }
  }

  send(message) {
    if (this.post(message)) this.expectAnswer();
  }

  expectAnswer(text = "No answer from the kernel: it is busy with another cell, or gone. Run this cell again if it was restarted.", within = SILENT_MS) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.silent(text), within);
  }

  answered() {
    clearTimeout(this.silence);
    if (this.isSilent) this.silent("");
  }

  silent(text) {
    this.isSilent = Boolean(text);
    this.say(text);
  }

  follow(name) {
    const parts = {
      _head: (data) => this.drawHead(data), _bar: (data) => this.bar.update(data), _grid: (data) => this.drawGrid(data),
      _choice: (data) => this.drawChoice(data), _facet: (data) => data && this.bar.popover.options(data), _pictures: (data) => this.pictures.update(data), _desk: (data) => this.desk.update(data),
    };
    const draw = () => {
      this.answered();
      const data = this.model.get(name);
      if (data) parts[name](data);
    };
    this.followed = [...(this.followed ?? []), [name, draw]];
    this.model.on(`change:${name}`, draw);
    if (this.model.get(name)) parts[name](this.model.get(name));
  }

  listen(host) {
    this.heard = (message) => {
      this.answered();
      if ("chunk" in message) this.grid.take(message);
      if ("code" in message) copied(message.code).then(() => this.say("copied the code of this view"));
    };
    this.model.on("msg:custom", this.heard);
    // JupyterLab looks at the focused element itself before it takes d,d for "delete this cell".
    this.root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
    this.root.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.bar.popover.close();
    });
    this.root.addEventListener("contextmenu", (event) => event.stopPropagation());
    // Said when a kernel restarts, and when a page finds its kernel again: which of them, an answer tells.
    this.cut = () => {
      if (this.post({ do: "ping" })) this.expectAnswer(GONE, 1500);
    };
    this.model.on("comm_live_update", this.cut);
  }

  hideStatic() {
    const id = this.model.get("_static_id");
    for (const table of document.querySelectorAll("[data-tkf-static]"))
      if (table.dataset.tkfStatic === id) (table.closest(".jp-OutputArea-child") ?? table).style.display = "none";
  }

  // ── drawing ──

  say(text, reading = null) {
    const isHeld = this.note.contains(document.activeElement);
    this.note.hidden = !text;
    if (this.noted.textContent !== text) this.noted.textContent = text;
    this.far.textContent = reading ? howFar(reading) : "";
    this.hush.hidden = Boolean(reading);
    this.stop.hidden = !reading;
    if (isHeld) focusFirst(reading ? this.stop : text ? this.hush : null, this.root.querySelector(".tkf-grid"));
  }

  drawHead(head) {
    this.head = head;
    const steps = head.trail.map((title, depth) => {
      const text = `${title}${head.of[depth] ? ` ${head.of[depth]}` : ""}`;
      if (depth === head.trail.length - 1) return el("strong", { class: "tkf-title", title: text }, text);
      return button(`${text} ›`, () => this.send({ do: "back", depth }), { class: "tkf-link tkf-back", title: `back to ${text}`, "data-name": `back ${depth}` });
    });
    redrawn(this.trail, () => this.trail.replaceChildren(...steps));
    const { rows, total, size, total_size: all } = head.count;
    this.count.textContent = `${counted(rows)} of ${counted(total)}${all ? ` · ${size || "0 B"} of ${all}` : ""}`;
    this.grid.element.style.maxHeight = `${Math.max(220, 60 + 28 * total)}px`; // no empty room below a few rows
    this.banner.hidden = !head.banner;
    this.banner.textContent = head.banner;
    if (head.reading) this.say(`${capital(head.reading.what)} …`, head.reading);
    else if (head.note || !this.isSilent) this.say(head.note);
    redrawn(this.tools, () => this.tools.replaceChildren(
      button("⟳ Refresh", () => head.reading || this.send({ do: "refresh" }), { "data-name": "refresh", "aria-disabled": Boolean(head.reading) && "true", title: "read it anew from the service" }),
      this.bar.opener({ name: "columns", label: "Columns", kind: "columns", said: "" }, "tkf-button"),
      button("Pictures", () => this.send({ do: "pictures", on: !head.pictures }), { "data-name": "pictures", "aria-pressed": String(head.pictures) }),
      button("Copy code", () => this.send({ do: "code" }), { "data-name": "code", title: "the lines of Python that give the same rows and plan" }),
    ));
    this.bar.popover.adopt(this.tools);
    this.drawAge();
    this.drawChosen();
  }

  drawAge() {
    this.age.textContent = this.head ? sinceText(this.head.age) : "";
  }

  drawGrid(grid) {
    this.bar.popover.columnsAre(grid.columns.map((column) => column.id));
    this.grid.empty.replaceChildren("No row matches. ", button("Reset the filters", () => (this.bar.reset(), this.grid.element.focus()), { "data-name": "reset-empty" }));
    this.grid.update(grid);
  }

  drawChoice(choice) {
    this.choice = choice;
    this.grid.choice(choice);
    this.drawChosen();
  }

  drawChosen() {
    if (!this.choice || !this.head) return;
    const { rows, hidden, size, all } = this.choice;
    const matching = this.head.count.rows;
    const text = rows ? `${counted(rows)} selected${size ? `, ${size}` : ""}${hidden ? `, ${counted(hidden)} not in this view` : ""}` : "none selected: actions are for all that match";
    redrawn(this.chosen, () => this.chosen.replaceChildren(
      el("span", { class: hidden ? "tkf-hidden-count" : "" }, text),
      all || !matching ? "" : button(`Select all ${counted(matching)} matching`, () => this.send({ do: "choose", how: "all", number: this.grid.data.number }), { "data-name": "all" }),
      rows ? button("Clear", () => this.send({ do: "choose", how: "none" }), { "data-name": "none" }) : "",
    ));
    const about = rows || matching;
    redrawn(this.acts, () => this.acts.replaceChildren(...this.head.acts.map((act) => button(act.label, () => this.send({ do: "act", act: act.name }), {
      class: `tkf-button tkf-act${act.tone ? ` tkf-${act.tone}` : ""}`, disabled: !about, title: `${act.doc} (${many(about, this.head.one)})`, "data-name": act.name,
    }))));
  }
}

function render({ model, el: host }) {
  const view = new View(model, host);
  return () => view.remove();
}

export default { render };
