// What opens under the button of a filter: choices with counts, dates, ranges, a metadata key; one at a time.

const DRAWN = {
  choices: (bar, control) => bar.choices(control),
  time: (bar, control) => bar.dates(control, [["older_than", "older than"], ["newer_than", "newer than"]]),
  expiry: (bar, control) => bar.dates(control, [["within", "within"]]),
  number: (bar, control) => bar.range(control),
  metadata: (bar, control) => bar.metadata(control),
  columns: (bar) => bar.columns(),
};

class Popover {
  constructor(send, root) {
    this.send = send;
    this.root = root;
    this.facet = { name: "" };
    this.search = "";
    this.tell = later((name, value) => this.send({ do: "filter", name, value }), 200);
    this.element = el("div", { class: "tkf-popover", role: "dialog", hidden: true, on: { keydown: (event) => this.key(event), focusout: (event) => this.left(event.relatedTarget) } });
    this.outside = (event) => {
      if (this.opener && !event.composedPath().includes(this.element) && !event.composedPath().includes(this.opener)) this.close(false);
    };
    document.addEventListener("pointerdown", this.outside, true);
  }

  remove() {
    document.removeEventListener("pointerdown", this.outside, true);
  }

  toggle(control, opener) {
    const again = this.control?.name === control.name;
    this.close();
    if (again) return;
    this.control = control;
    this.opener = opener;
    this.search = "";
    this.facet = { name: "" };
    opener.setAttribute("aria-expanded", "true");
    this.element.setAttribute("aria-label", control.label);
    this.element.hidden = false;
    this.send({ do: "facet", name: control.name });
    this.draw();
    this.place();
    this.enter();
  }

  // The focus goes in as soon as there is something to have it: choices come a moment later.
  enter() {
    const first = this.element.querySelector("input, button");
    focusFirst(first);
    this.isEntered = Boolean(first);
  }

  left(to) {
    if (to && !this.element.contains(to) && to !== this.opener) this.close(false);
  }

  close(refocus = true) {
    if (!this.control) return;
    this.opener.setAttribute("aria-expanded", "false");
    if (refocus && this.element.contains(document.activeElement)) this.opener.focus({ preventScroll: true });
    this.element.hidden = true;
    this.control = this.opener = null;
    this.send({ do: "facet", name: "" });
  }

  // The buttons were drawn again: the one of the same name is the opener now.
  adopt(buttons) {
    const same = this.control && [...buttons.children].find((child) => child.dataset.name === this.control.name);
    if (same) this.opener = same;
  }

  place() {
    const box = this.root.getBoundingClientRect();
    const button = this.opener.getBoundingClientRect();
    const left = Math.min(button.left - box.left, box.width - this.element.offsetWidth - 4);
    Object.assign(this.element.style, { left: `${Math.max(0, left)}px`, top: `${button.bottom - box.top + 4}px` });
  }

  update(controls) {
    if (!this.control) return;
    const now = controls.find((control) => control.name === this.control.name);
    if (now) this.control = { ...now };
    if (!this.element.contains(document.activeElement) || this.control.kind === "choices") this.draw();
  }

  options(facet) {
    this.facet = facet;
    if (!this.control) return;
    this.draw();
    this.place(); // it may have become too wide for where it is
    if (!this.isEntered && document.activeElement === this.opener) this.enter();
  }

  columnsAre(names) {
    this.shown = names;
    if (this.control?.kind === "columns") this.draw();
  }

  key(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.close();
  }

  set(value) {
    this.control.value = value;
    this.send({ do: "filter", name: this.control.name, value });
  }

  draw() {
    redrawn(this.element, () => this.element.replaceChildren(...DRAWN[this.control.kind](this, this.control)));
  }

  choices(control) {
    if (this.facet.name !== control.name) return [el("div", { class: "tkf-muted" }, "counting …")];
    const chosen = control.value ?? [];
    const most = Math.max(1, ...this.facet.options.map((option) => option.rows));
    const found = this.facet.options.filter((option) => option.label.toLowerCase().includes(this.search.toLowerCase()));
    const search = this.facet.options.length > 9
      ? el("input", { type: "search", class: "tkf-input", placeholder: "find", "aria-label": "find a choice", "data-name": "find", value: this.search, on: { input: (event) => ((this.search = event.target.value), this.draw()) } })
      : null;
    const rows = found.map((option) => {
      const on = chosen.some((value) => value === option.value);
      const turned = () => this.set(on ? chosen.filter((value) => value !== option.value) : [...chosen, option.value]);
      const check = el("input", { type: "checkbox", "data-name": `option ${option.label}`, on: { change: turned } });
      check.checked = on;
      return el("label", { class: "tkf-option", title: option.label }, check, el("span", { class: "tkf-option-label" }, option.label),
        el("span", { class: "tkf-option-bar", style: { width: `${(40 * option.rows) / most}px` } }), el("span", { class: "tkf-option-rows" }, counted(option.rows)));
    });
    const clear = chosen.length ? button("Any", () => this.set(null), { "data-name": "any" }) : null;
    return [search, el("div", { class: "tkf-options", role: "group" }, ...rows, rows.length ? null : el("div", { class: "tkf-muted" }, "none")), clear].filter(Boolean);
  }

  dates(control, lengths) {
    const value = control.value ?? {};
    const same = (quick) => JSON.stringify(quick) === JSON.stringify(value);
    const quick = control.quick.map((pick) =>
      button(pick.label, () => (this.set(same(pick.value) ? null : pick.value), this.draw()), { class: "tkf-button tkf-quick", "aria-pressed": String(same(pick.value)), "data-name": pick.label }),
    );
    const changed = (name) => (event) => {
      const { ever, never, ...kept } = this.control.value ?? {}; // not what it was when these fields were drawn
      const next = { ...kept, [name]: event.target.type === "number" ? (event.target.value === "" ? null : Number(event.target.value)) : event.target.value };
      for (const key of Object.keys(next)) if (next[key] === null || next[key] === "") delete next[key];
      this.set(Object.keys(next).length ? next : null);
    };
    const days = lengths.map(([name, text]) => field(`${text} (days)`, { type: "number", min: 0, step: "any", value: value[name] ?? "", "data-name": name, on: { change: changed(name) } }));
    const dates = ["after", "before"].map((name) => field(name === "after" ? "from (UTC)" : "to (UTC)", { type: "date", value: (value[name] ?? "").slice(0, 10), "data-name": name, on: { change: changed(name) } }));
    return [el("div", { class: "tkf-quicks", role: "group" }, ...quick), el("div", { class: "tkf-fields" }, ...days, ...dates)];
  }

  range(control) {
    const value = control.value ?? [null, null];
    const changed = (place) => (event) => {
      const next = [...value];
      next[place] = event.target.value === "" ? null : Number(event.target.value);
      control.value = next;
      value[place] = next[place];
      this.tell(control.name, next.some((end) => end !== null) ? next : null);
    };
    const unit = control.unit ? ` (${control.unit})` : "";
    return [el("div", { class: "tkf-fields" }, ...["at least", "at most"].map((text, place) =>
      field(text + unit, { type: "number", step: "any", value: value[place] ?? "", "data-name": text, on: { input: changed(place) } })))];
  }

  metadata(control) {
    const value = { key: "", value: "", ...(control.value ?? {}) };
    const changed = (name) => (event) => {
      value[name] = event.target.value;
      control.value = { ...value };
      this.tell(control.name, value.key ? { ...value } : null);
    };
    const id = `${this.root.dataset.tkf}-keys`;
    const keys = el("datalist", { id }, ...(this.facet.keys ?? []).map((key) => el("option", { value: key })));
    return [el("div", { class: "tkf-fields" }, field("key", { type: "text", list: id, value: value.key, "data-name": "key", on: { input: changed("key") } }),
      field("value (empty: any)", { type: "text", value: value.value, "data-name": "value", on: { input: changed("value") } })), keys];
  }

  columns() {
    const all = this.facet.columns ?? [];
    const shown = this.shown ?? [];
    const order = [...shown, ...all.map((column) => column.id).filter((id) => !shown.includes(id))];
    const told = (columns) => this.send({ do: "columns", columns });
    const rows = order.map((id) => {
      const column = all.find((other) => other.id === id);
      if (!column) return null;
      const at = shown.indexOf(id);
      const swap = (step) => {
        const next = [...shown];
        [next[at], next[at + step]] = [next[at + step], next[at]];
        told(next);
      };
      const check = el("input", { type: "checkbox", "data-name": `column ${id}`, on: { change: () => told(at < 0 ? [...shown, id] : shown.filter((other) => other !== id)) } });
      check.checked = at >= 0;
      const arrows = at < 0 ? [] : [
        button("↑", () => swap(-1), { class: "tkf-link", disabled: at === 0, "aria-label": `move ${column.label} up`, "data-name": `up ${id}` }),
        button("↓", () => swap(1), { class: "tkf-link", disabled: at === shown.length - 1, "aria-label": `move ${column.label} down`, "data-name": `down ${id}` }),
      ];
      return el("div", { class: "tkf-option", title: column.doc }, el("label", {}, check, el("span", { class: "tkf-option-label" }, column.label)), ...arrows);
    });
    return [el("div", { class: "tkf-options", role: "group" }, ...rows.filter(Boolean))];
  }
}

function field(label, props) {
  return el("label", { class: "tkf-field" }, el("span", {}, label), el("input", { class: "tkf-input", ...props }));
}
