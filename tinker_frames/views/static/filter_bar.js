// The filters: a search, a button for each control, what they are set to, and a box for a pandas query.

class Bar {
  constructor(send, root) {
    this.send = send;
    this.popover = new Popover(send, root);
    this.typed = { text: later((value) => this.filter("text", value), 25), query: later((value) => this.filter("query", value), 250) };
    this.search = this.input("text", "search", "Search names, paths, metadata");
    this.query = this.input("query", "text", "pandas query, e.g. size_gb > 1 and not public");
    this.query.classList.add("tkf-code");
    this.query.setAttribute("spellcheck", "false");
    this.error = el("div", { class: "tkf-error", role: "alert", id: `${root.dataset.tkf}-error` });
    this.query.setAttribute("aria-describedby", this.error.id);
    this.buttons = el("div", { class: "tkf-buttons", role: "toolbar", "aria-label": "filters" });
    this.chips = el("div", { class: "tkf-chips" });
    this.element = el("div", { class: "tkf-bar" }, 
      el("div", { class: "tkf-line" }, this.search, this.query), this.error, this.buttons, this.chips,
    );
  }

  input(name, type, text) {
    return el("input", { type, class: "tkf-input tkf-wide", placeholder: text, "aria-label": text, "data-name": name, on: { input: (event) => this.typed[name](event.target.value) } });
  }

  filter(name, value) {
    this.send({ do: "filter", name, value });
  }

  update(bar) {
    const set = (input, name) => {
      const control = bar.controls.find((other) => other.name === name);
      input.hidden = !control;
      // What is being typed is not put back to what the kernel heard of it a moment ago.
      if (control && document.activeElement !== input) input.value = control.value ?? "";
      input.setAttribute("aria-invalid", String(Boolean(control?.error)));
    };
    set(this.search, "text");
    set(this.query, "query");
    redrawn(this.buttons, () => this.buttons.replaceChildren(...bar.controls.filter((control) => control.name !== "text" && control.name !== "query").map((control) => this.opener(control))));
    const set_ = bar.controls.filter((control) => control.said && control.name !== "text" && control.name !== "query");
    const any = set_.length || bar.controls.some((control) => control.value);
    this.chips.hidden = !any;
    redrawn(this.chips, () => this.chips.replaceChildren(...set_.map((control) => this.chip(control)), ...(any ? [button("Reset", () => this.reset(), { "data-name": "reset", class: "tkf-button tkf-reset" })] : [])));
    this.error.textContent = bar.controls.map((control) => control.error).find(Boolean) ?? "";
    this.popover.update(bar.controls);
    this.popover.adopt(this.buttons);
  }

  opener(control, look = "tkf-button tkf-opener") {
    const open = this.popover.control?.name === control.name;
    return button(`${control.label} ▾`, (event) => this.popover.toggle(control, event.currentTarget), {
      class: `${look}${control.said ? " tkf-set" : ""}`, "aria-haspopup": "dialog", "aria-expanded": String(open), "data-name": control.name,
    });
  }

  chip(control) {
    const off = button("×", () => this.filter(control.name, null), { class: "tkf-link", "aria-label": `remove the filter ${control.label}`, "data-name": `off ${control.name}` });
    return el("span", { class: "tkf-chip", title: `${control.label}: ${control.said}` }, el("span", { class: "tkf-chip-text" }, `${control.label}: ${control.said}`), off);
  }

  reset() {
    for (const typed of Object.values(this.typed)) typed.stop(); // what was typed last is not sent after it
    this.search.value = this.query.value = "";
    this.send({ do: "reset" });
  }
}
