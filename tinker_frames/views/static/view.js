// src/dom.js
var SVG = "http://www.w3.org/2000/svg";
function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProp(element, name, value);
  for (const child of children) if (child || child === "") element.append(child);
  return element;
}
function setProp(element, name, value) {
  if (value === null || value === void 0 || value === false) return;
  if (name === "on") {
    for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
  } else if (name === "style") Object.assign(element.style, value);
  else if (name === "value") Object.assign(element, { value });
  else element.setAttribute(name, value === true ? "" : String(value));
}
function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
function button(text, click, props = {}) {
  return el("button", { type: "button", class: "tkf-button", ...props, on: { click } }, text);
}
function debounce(work, milliseconds) {
  let timer;
  const call = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
  return Object.assign(call, { cancel: () => clearTimeout(timer) });
}
function measureText(element) {
  const parts = [...element.querySelectorAll(".tkf-part")];
  if (parts.length) return parts.reduce((sum, part) => sum + part.scrollWidth, 0);
  const range = document.createRange();
  range.selectNodeContents(element);
  return Math.ceil(range.getBoundingClientRect().width);
}
var uniqueId = () => `tkf-${Math.random().toString(36).slice(2, 10)}`;
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
}
function copyBySelection(text) {
  const area = el("textarea", { style: { position: "fixed", opacity: 0 }, value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
var focusables = (root) => [...root.querySelectorAll("button:enabled, input:enabled, [tabindex='0']")].map(asElement);
var asElement = (element) => (
  /** @type {HTMLElement} */
  element
);
function findNamed(root, name) {
  return [...root.querySelectorAll("[data-name]")].map(asElement).find((element) => element.dataset.name === name);
}
function redraw(root, draw) {
  const focused = root.contains(document.activeElement) ? asElement(
    /** @type {Element} */
    document.activeElement
  ) : null;
  const place = focused ? focusables(root).indexOf(focused) : -1;
  const caret = focused instanceof HTMLInputElement ? [focused.selectionStart, focused.selectionEnd] : [null, null];
  draw();
  if (!focused || root.contains(document.activeElement)) return;
  const all = focusables(root);
  const same = focused.dataset.name && all.find((element) => element.dataset.name === focused.dataset.name);
  if (same instanceof HTMLInputElement && caret[0] !== null) same.setSelectionRange(caret[0], caret[1]);
  focusFirst(same, all[Math.min(place, all.length - 1)], gridOf(root));
}
var gridOf = (element) => element.closest(".tkf")?.querySelector(".tkf-grid");
function focusFirst(...elements) {
  for (const element of elements) {
    if (!element) continue;
    element.focus({ preventScroll: true });
    if (document.activeElement === element) return;
  }
}

// src/grid_rows.js
var TITLE_FROM = 12;
var TAIL = 16;
var NOTHING = "–";
function readRow(row) {
  const [isSelected, key, ...cells] = row ?? [false, ""];
  return { isSelected: Boolean(isSelected), key: String(key), cells: (
    /** @type {Cell[]} */
    cells
  ) };
}
function readCell(cell) {
  const [text, title = "", mark = ""] = Array.isArray(cell) ? cell : [cell];
  return { text, title: title || (text.length > TITLE_FROM ? text : ""), mark };
}
function makeRow(grid, place, data) {
  const { isSelected, key, cells } = readRow(data);
  const looks = [isSelected && "tkf-selected", place % 2 && "tkf-odd", !data && "tkf-absent"].filter(Boolean);
  const row = el("div", {
    class: ["tkf-row", ...looks].join(" "),
    role: "row",
    "aria-rowindex": place + 2,
    "aria-selected": String(isSelected),
    "data-place": place,
    "data-key": key
  });
  const { columns } = grid.data;
  row.append(makeCheck(grid.cellId(place, 0), isSelected));
  columns.forEach((column, at) => {
    row.append(makeCell(data ? cells[at] : "…", column, grid.cellId(place, at + 1)));
  });
  row.append(makeOpenings(grid.data.openings, key, grid.cellId(place, grid.lastColumn)));
  return row;
}
function makeCheck(id, isSelected) {
  const label = isSelected ? "selected" : "not selected";
  return el("div", { class: "tkf-cell tkf-check", role: "gridcell", id, "aria-label": label }, isSelected ? "☑" : "☐");
}
function makeCell(cell, column, id) {
  const { text, title, mark } = readCell(cell);
  const looks = [`tkf-${column.align}`, mark && `tkf-mark-${mark}`, !text && "tkf-mark-muted", `tkf-${column.kind}`];
  const props = { class: ["tkf-cell", ...looks.filter(Boolean)].join(" "), role: "gridcell", id, title };
  const [first, last] = splitText(text, column.kind);
  if (!last) return el("div", props, text || NOTHING);
  return el("div", props, el("span", { class: "tkf-part" }, first), el("span", { class: "tkf-part" }, last));
}
function splitText(text, kind) {
  const letters = [...text];
  const at = kind === "model" ? letters.lastIndexOf("/") + 1 : kind === "id" ? letters.length - TAIL : 0;
  return at > 0 && at < letters.length ? [letters.slice(0, at).join(""), letters.slice(at).join("")] : [text];
}
function makeOpenings(openings, key, id) {
  const quiet = { type: "button", class: "tkf-link", tabindex: -1 };
  const links = openings.map(
    (label) => el("button", { ...quiet, "data-open": label, title: `open the ${label} of this row` }, `${label} ›`)
  );
  const copy = el("button", { ...quiet, "data-copy": "", title: `copy ${key}`, "aria-label": "copy the path" }, "❐");
  return el("div", { class: "tkf-cell tkf-openings", role: "gridcell", id }, ...links, copy);
}

// src/text.js
var formatCount = (number) => Number(number).toLocaleString("en-US");
var formatRows = (number, noun) => `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;
function formatShare(part, total) {
  const percent = total ? Math.round(100 * part / total) : 0;
  if (percent === 0 && part > 0) return "<1 %";
  return percent === 100 && part < total ? ">99 %" : `${percent} %`;
}
var capitalize = (text) => text.charAt(0).toUpperCase() + text.slice(1);
function formatAge(iso, now) {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1e3);
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return `read ${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `read ${Math.round(seconds / 60)} min ago`;
  return seconds < 129600 ? `read ${Math.round(seconds / 3600)} h ago` : `read ${Math.round(seconds / 86400)} d ago`;
}
function formatProgress({ part, done, total, rate, waiting, stopping }) {
  const rows = total > 0 ? `${formatCount(done)} of ${formatCount(total)}` : done ? formatCount(done) : "";
  const parts = [
    [part, rows].filter(Boolean).join(": "),
    rate ? `${formatCount(rate)} a second` : "",
    waiting,
    stopping ? "stopping: what is under way ends first" : ""
  ];
  return parts.filter(Boolean).join(" · ");
}

// src/panel_parts.js
var makeButtons = (...buttons) => el("div", { class: "tkf-panel-buttons" }, ...buttons);
var makeObstacle = (obstacle) => obstacle ? [el("div", { class: "tkf-error tkf-obstacle", role: "alert" }, capitalize(obstacle))] : [];
var makeTitle = (...text) => el("h4", { class: "tkf-panel-title" }, ...text);
function dropEmptyColumns([names = [], ...rows]) {
  const texts = rows.map((row) => row.map((cell) => readCell(cell).text));
  const isFilled = names.map((_, column) => texts.some((row) => row[column]));
  const keep = (row) => row.filter((_, column) => isFilled[column]);
  return { names: keep(names.map((name) => readCell(name).text)), rows: texts.map(keep) };
}
function makeRowTable(listed, look = "") {
  if (!listed.length) return [];
  const { names, rows } = dropEmptyColumns(listed);
  const head = el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {}, name))));
  const body = el(
    "tbody",
    {},
    ...rows.map((row) => el("tr", {}, ...row.map((text) => el("td", { title: text }, text))))
  );
  const roles = { tabindex: 0, role: "group", "aria-label": "rows of the plan", "data-name": "listed" };
  return [el("div", { class: `tkf-listed ${look}`, ...roles }, el("table", {}, head, body))];
}

// src/action_forms.js
function makeForm(panel, state) {
  const inputs = state.fields.map((field, place) => makeInput(panel, field, () => submit(), place === 0));
  const submit = (picked = {}) => {
    if (state.obstacle) return;
    const values = Object.fromEntries(
      state.fields.map((field, place) => [field.name, readInput(field, inputs[place])])
    );
    panel.send({ do: "answer", given: { ...values, ...picked } });
  };
  const lines = state.fields.map((field, place) => makeLine(field, inputs[place], submit));
  return [
    makeTitle(`${state.label}: ${state.target || "no rows"}`),
    el("div", { class: "tkf-muted" }, state.doc),
    el("div", { class: "tkf-form" }, ...lines),
    ...makeObstacle(state.obstacle),
    makeButtons(
      button(state.submit, () => submit(), {
        class: "tkf-button tkf-main",
        disabled: Boolean(state.obstacle),
        "data-name": "submit"
      }),
      panel.closeButton("Cancel")
    )
  ];
}
function makeInput(panel, field, submit, isFirst) {
  const keep = () => {
    panel.values[field.name] = field.kind === "flag" ? input.checked : input.value;
  };
  const input = el("input", {
    type: { flag: "checkbox", count: "number", duration: "text", text: "text" }[field.kind],
    class: field.kind === "flag" ? null : `tkf-input ${field.kind === "text" ? "tkf-wide" : "tkf-short"}`,
    placeholder: field.kind === "duration" ? "e.g. 30d or 12h" : null,
    min: field.kind === "count" ? field.least : null,
    "aria-label": field.label,
    "data-name": field.name,
    "data-first": isFirst,
    on: { input: keep, keydown: (event) => event.key === "Enter" && submit() }
  });
  const value = panel.values[field.name] ?? field.value;
  if (typeof value === "boolean") input.checked = value;
  else input.value = String(value);
  return input;
}
function readInput(field, input) {
  if (field.kind === "flag") return input.checked;
  return field.kind === "count" && input.value ? Number(input.value) : input.value;
}
function makeLine(field, input, submit) {
  if (field.kind === "flag") return el("label", { class: "tkf-tick", title: field.hint }, input, ` ${field.label}`);
  const none = field.none && button(field.none, () => submit({ [field.name]: null }), { "data-name": field.none });
  const picks = field.picks.map(
    (value) => button(value.replace("d", " d"), () => submit({ [field.name]: value }), { "data-name": value })
  );
  const label = el("label", { class: "tkf-tick", title: field.hint }, `${field.label} `, input);
  return el("div", { class: "tkf-panel-buttons" }, label, ...picks, none);
}

// src/plan_confirmation.js
function makeConfirmation(panel, state) {
  const [title = "", ...lines] = state.lines;
  const facts = state.rule ? [...lines, `keeps ${state.rule}`] : lines;
  const run = makeRunButton(panel, state);
  const typed = state.typed && state.number > 0 ? makeTypedNumber(panel, state, run) : null;
  return [
    makeTitle(capitalize(title)),
    ...makeObstacle(state.obstacle),
    el("div", { class: "tkf-muted" }, describeSource(state)),
    ...makeHiddenWarning(state.hidden),
    el("ul", { class: "tkf-lines" }, ...facts.map((fact) => el("li", {}, fact))),
    el("div", { class: "tkf-groups" }, ...state.groups.map((group) => makeGroup(panel, group))),
    ...makeRowTable(state.rows),
    ...state.obstacle ? [] : makeGuards(panel, state.guards),
    state.obstacle ? makeButtons(panel.closeButton()) : makeButtons(typed, run, panel.closeButton("Cancel"))
  ];
}
var describeSource = ({ target, filters }) => `Made of ${target}${filters ? `, filtered by ${filters}` : ""}.`;
function makeHiddenWarning(hidden) {
  const text = `${formatCount(hidden)} of them are hidden by the filters.`;
  return hidden ? [el("div", { class: "tkf-warn" }, text)] : [];
}
var isNumberTyped = (typed, number) => typed.trim().replaceAll(",", "") === String(number);
function makeRunButton(panel, state) {
  return button(
    `${capitalize(state.verb)} ${formatCount(state.number)}`,
    () => panel.send({ do: "confirm", typed: panel.typed }),
    {
      class: `tkf-button ${state.typed ? "tkf-danger" : "tkf-main"}`,
      "data-name": "run",
      "data-first": !state.typed,
      disabled: state.number === 0 || state.typed && !isNumberTyped(panel.typed, state.number)
    }
  );
}
function makeTypedNumber(panel, state, run) {
  const looks = { class: "tkf-input tkf-short", inputmode: "numeric", autocomplete: "off" };
  const input = el("input", {
    ...looks,
    "data-name": "typed",
    "data-first": true,
    value: panel.typed,
    on: {
      input: () => {
        panel.typed = input.value;
        run.disabled = !isNumberTyped(panel.typed, state.number);
      },
      keydown: (event) => event.key === "Enter" && !run.disabled && run.click()
    }
  });
  return el("label", { class: "tkf-tick" }, `Type ${state.number} to ${state.verb}: `, input);
}
function makeGroup(panel, { verdict, label, reason, rows, open }) {
  const text = `${formatCount(rows)} ${label}${reason ? `: ${reason}` : ""}`;
  return button(text, () => panel.send({ do: "list", verdict, reason }), {
    class: `tkf-button tkf-group tkf-${verdict}`,
    "aria-expanded": String(open),
    title: "Show these rows",
    "data-name": `${verdict} ${reason}`
  });
}
function makeGuards(panel, guards) {
  const ticks = guards.map((guard) => makeGuard(panel, guard, guards));
  return ticks.length ? [el("div", { class: "tkf-guards" }, "Also apply to checkpoints that are: ", ...ticks)] : [];
}
function makeGuard(panel, guard, guards) {
  const name = `guard ${guard.name}`;
  const toggle = () => {
    const lifted = guards.filter((other) => other === guard ? !guard.on : other.on);
    panel.ticked = name;
    panel.send({ do: "allow", guards: lifted.map((other) => other.name) });
  };
  const check = el("input", { type: "checkbox", "data-name": name, on: { change: toggle } });
  check.checked = guard.on;
  return el("label", { class: "tkf-tick" }, check, ` ${guard.label}`);
}

// src/plan_outcome.js
var MARKS = { done: "✓", failed: "✕", unknown: "?" };
function makeOutcome(panel, state) {
  const counts = state.counts.map((count) => makeCount(panel, count));
  return [
    ...counts.length ? [makeTitle(`${state.label}: `, ...counts)] : [],
    ...state.rows.length ? makeRowTable(state.rows) : makeRowTable(state.failed, "tkf-failures"),
    makeButtons(
      state.undo && button("Undo", () => panel.send({ do: "undo" }), { "data-name": "undo" }),
      state.retry && button("Retry failed rows", () => panel.send({ do: "retry" }), { "data-name": "retry" }),
      button("Close", () => panel.send({ do: "close" }), { "data-name": "close", "data-first": true })
    )
  ];
}
function makeCount(panel, { outcome, rows, open }) {
  const text = `${MARKS[outcome] ?? "–"} ${formatCount(rows)} ${outcome}`;
  return button(text, () => panel.send({ do: "list", verdict: outcome }), {
    class: `tkf-button tkf-group tkf-outcome tkf-${outcome}`,
    "aria-expanded": String(open),
    title: "Show these rows",
    "data-name": `outcome ${outcome}`
  });
}

// src/progress_bar.js
var ProgressBar = class {
  /** @param {Progress} progress @param {HTMLButtonElement} cancel disabled once the work stops */
  constructor(progress, cancel) {
    this.cancel = cancel;
    this.fill = el("div", { class: "tkf-progress-fill" });
    this.line = el("div", { class: "tkf-progress-text" });
    const roles = { role: "progressbar", "aria-label": progress.what, "aria-valuemin": 0 };
    this.bar = el("div", { class: "tkf-progress", ...roles }, this.fill);
    this.update(progress);
  }
  get elements() {
    return [this.bar, this.line];
  }
  /** @param {Progress} progress */
  update(progress) {
    const { done, total } = progress;
    const isKnown = total > 0;
    this.bar.classList.toggle("tkf-unknown", !isKnown);
    this.setAttribute("aria-valuemax", isKnown ? String(total) : null);
    this.setAttribute("aria-valuenow", isKnown ? String(done) : null);
    this.fill.style.width = isKnown ? `${100 * done / total}%` : "";
    this.line.textContent = formatProgress(progress);
    this.setAttribute("aria-valuetext", this.line.textContent);
    this.cancel.disabled = progress.stopping;
  }
  /** @param {string} name @param {string | null} value */
  setAttribute(name, value) {
    if (value === null) this.bar.removeAttribute(name);
    else this.bar.setAttribute(name, value);
  }
};

// src/action_panel.js
var ActionPanel = class {
  /** @param {(request: Request) => void} send @param {HTMLElement} actions the buttons that begin an action */
  constructor(send, actions) {
    this.send = send;
    this.actions = actions;
    this.stage = "";
    this.action = void 0;
    this.begun = void 0;
    this.error = "";
    this.typed = "";
    this.values = {};
    this.ticked = "";
    this.progress = null;
    this.element = el("section", {
      class: "tkf-action-panel",
      role: "region",
      "aria-label": "action",
      hidden: true,
      on: { keydown: (event) => this.closeByKey(event) }
    });
  }
  /** @param {PanelState} state */
  update(state) {
    const action = state.stage ? state.action : void 0;
    const isNew = state.stage !== this.stage || action !== this.action;
    if (isNew) this.typed = "";
    if (["", "outcome"].includes(state.stage) || action !== this.action) this.values = {};
    this.stage = state.stage;
    this.action = action;
    this.element.hidden = !state.stage && !state.note && !state.error;
    this.element.classList.toggle("tkf-outdated", state.stage === "confirm" && Boolean(state.obstacle));
    const isErrorNew = state.error !== this.error;
    this.error = state.error;
    if (state.stage === "work" && !isNew && !isErrorNew && this.progress) return this.progress.update(state);
    const isFocusOurs = this.hasFocus();
    redraw(this.element, () => this.element.replaceChildren(...this.makeParts(state)));
    if (isNew && isFocusOurs) this.moveFocus(state);
  }
  // The note at the top, an error beside the buttons, which are last.
  /** @param {PanelState} state */
  makeParts(state) {
    const parts = this.makeStage(state);
    const note = state.note ? [el("div", { class: "tkf-note", role: "status" }, state.note)] : [];
    const error = state.error ? [el("div", { class: "tkf-error", role: "alert" }, capitalize(state.error))] : [];
    return [...note, ...parts.slice(0, -1), ...error, ...parts.slice(-1)];
  }
  /** @param {PanelState} state */
  makeStage(state) {
    if (state.stage !== "work") this.progress = null;
    switch (state.stage) {
      case "":
        return [makeButtons(this.closeButton())];
      case "ask":
        return makeForm(this, state);
      case "work":
        return this.makeWork(state);
      case "confirm":
        return makeConfirmation(this, state);
      case "outcome":
        return makeOutcome(this, state);
    }
  }
  /** @param {WorkPanel} state */
  makeWork(state) {
    const cancel = button("Cancel", () => this.send({ do: "cancel" }), { "data-name": "cancel", "data-first": true });
    this.progress = new ProgressBar(state, cancel);
    return [makeTitle(`${capitalize(state.what)} …`), ...this.progress.elements, makeButtons(cancel)];
  }
  closeButton(text = "Close") {
    return button(text, () => this.send({ do: "close" }), { "data-name": "close" });
  }
  // ── focus ──
  // Do not move the focus of a user who is typing elsewhere.
  hasFocus() {
    const active = document.activeElement;
    return active === document.body || this.element.contains(active) || this.actions.contains(active);
  }
  /** @param {PanelState} state */
  moveFocus(state) {
    if (!state.stage) return focusFirst(findNamed(this.actions, this.begun), gridOf(this.element));
    const back = state.stage === "confirm" && this.ticked ? findNamed(this.element, this.ticked) : null;
    const first = this.element.querySelector("[data-first]:enabled");
    focusFirst(back, first, findNamed(this.element, "close"));
    this.begun = state.action;
    if (state.stage !== "work") this.ticked = "";
  }
  /** @param {KeyboardEvent} event */
  closeByKey(event) {
    if (event.key !== "Escape" || this.stage === "work") return;
    event.stopPropagation();
    this.send({ do: "close" });
  }
};

// src/chart_scale.js
var CHART_HEIGHT = 90;
var TALLEST = 88;
var FEWEST_COLUMNS = 12;
function barLengths(bars) {
  const most = Math.max(...bars.filter((bar) => bar.picks).map((bar) => bar.value)) || 1;
  return bars.map((bar) => Math.min(100, Math.max(1, 100 * bar.value / most)));
}
function columnBoxes(bars) {
  const most = Math.max(...bars.map((bar) => bar.value)) || 1;
  const width = 100 / Math.max(FEWEST_COLUMNS, bars.length);
  return bars.map((bar, place) => {
    const height = bar.value ? Math.max(2, TALLEST * bar.value / most) : 0;
    return { x: place * width, width, y: CHART_HEIGHT - height, height };
  });
}
function axisEnds(bars) {
  const parts = [bars[0], bars[bars.length - 1]].map((bar) => bar.label.split(" to "));
  return [parts[0][0], parts[1][parts[1].length - 1]];
}

// src/charts.js
var GAP = 0.08;
var Charts = class {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.send = send;
    this.element = el("div", { class: "tkf-charts", role: "group", "aria-label": "pictures of the rows that match" });
  }
  /** @param {Chart[]} charts */
  update(charts) {
    this.element.hidden = !charts.length;
    redraw(this.element, () => this.element.replaceChildren(...charts.map((chart) => this.makeChart(chart))));
  }
  /** @param {Chart} chart */
  makeChart(chart) {
    const pick = (bar) => this.pick(bar);
    const drawn = chart.kind === "bars" ? makeBars(chart, pick) : makeColumns(chart, pick);
    return el("figure", { class: "tkf-chart" }, el("figcaption", {}, chart.title), drawn);
  }
  /** Filter by what a bar stands for. @param {Bar} bar */
  pick(bar) {
    for (const [name, value] of Object.entries(bar.picks ?? {})) this.send({ do: "filter", name, value });
  }
};
var makeNothing = () => el("div", { class: "tkf-muted" }, "nothing");
function makeBars(chart, pick) {
  if (!chart.bars.length) return makeNothing();
  const lengths = barLengths(chart.bars);
  return el("div", { class: "tkf-bars" }, ...chart.bars.map((bar, at) => makeBar(chart, bar, lengths[at], pick)));
}
function makeBar(chart, bar, length, pick) {
  return el(
    "button",
    {
      type: "button",
      class: "tkf-bar-row",
      disabled: !bar.picks,
      title: `${bar.label}: ${bar.text}`,
      "data-name": `${chart.title} ${bar.label}`,
      on: { click: () => pick(bar) }
    },
    el("span", { class: `tkf-bar-fill${bar.picks ? "" : " tkf-rest"}`, style: { width: `${length}%` } }),
    el("span", { class: "tkf-bar-label" }, bar.label),
    el("span", { class: "tkf-bar-text" }, bar.text)
  );
}
function makeColumns(chart, pick) {
  if (!chart.bars.length) return makeNothing();
  const boxes = columnBoxes(chart.bars);
  const columns = chart.bars.map(
    (bar, at) => svg("g", {}, makeColumn(boxes[at]), makeHitArea(chart, bar, boxes[at], pick))
  );
  return el(
    "div",
    { class: "tkf-columns" },
    svg("svg", { viewBox: `0 0 100 ${CHART_HEIGHT}`, preserveAspectRatio: "none", role: "group" }, ...columns),
    el("div", { class: "tkf-axis" }, ...axisEnds(chart.bars).map((text) => el("span", {}, text)))
  );
}
function makeColumn({ x, y, width, height }) {
  return svg("rect", { class: "tkf-column-fill", x: x + width * GAP, y, width: width * (1 - 2 * GAP), height });
}
function makeHitArea(chart, bar, { x, width }, pick) {
  const label = `${bar.label}: ${bar.text}`;
  const area = { class: "tkf-column", x, y: 0, width, height: CHART_HEIGHT };
  const roles = { tabindex: 0, role: "button", "aria-label": label, "data-name": `${chart.title} ${bar.label}` };
  const hit = svg("rect", { ...area, ...roles }, svg("title", {}, label));
  hit.addEventListener("click", () => pick(bar));
  hit.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick(bar);
  });
  return hit;
}

// src/filter_values.js
function updateTimeRange(range, name, given) {
  const { ever, never, ...kept } = range;
  const fields = Object.entries({ ...kept, [name]: given }).filter(([, value]) => value !== null && value !== "");
  return fields.length ? Object.fromEntries(fields) : null;
}
var cleanRange = (ends) => ends.some((end) => end !== null) ? [...ends] : null;
var listColumns = (shown, all) => [...shown, ...all.filter((id) => !shown.includes(id))];
function swapWithNeighbour(names, at, step) {
  const swapped = [...names];
  [swapped[at], swapped[at + step]] = [names[at + step], names[at]];
  return swapped;
}

// src/column_list.js
function makeColumnList(popover) {
  const all = new Map((popover.facet.columns ?? []).map((column) => [column.id, column]));
  const shown = popover.shownColumns;
  const show = (columns) => popover.send({ do: "columns", columns });
  const rows = listColumns(shown, [...all.keys()]).flatMap((id) => {
    const column = all.get(id);
    return column ? [makeColumnRow(column, shown, show)] : [];
  });
  return [el("div", { class: "tkf-options", role: "group" }, ...rows)];
}
function makeColumnRow(column, shown, show) {
  const at = shown.indexOf(column.id);
  const others = shown.filter((id) => id !== column.id);
  const toggle = () => show(at < 0 ? [...shown, column.id] : others);
  const check = el("input", { type: "checkbox", "data-name": `column ${column.id}`, on: { change: toggle } });
  check.checked = at >= 0;
  const label = el("label", {}, check, el("span", { class: "tkf-option-label" }, column.label));
  const arrows = at < 0 ? [] : makeArrows(column, shown, show);
  return el("div", { class: "tkf-option", title: column.doc }, label, ...arrows);
}
function makeArrows({ id, label }, shown, show) {
  const at = shown.indexOf(id);
  const makeArrow = (text, way, step) => button(text, () => show(swapWithNeighbour(shown, at, step)), {
    class: "tkf-link",
    disabled: shown[at + step] === void 0,
    "aria-label": `move ${label} ${way}`,
    "data-name": `${way} ${id}`
  });
  return [makeArrow("↑", "up", -1), makeArrow("↓", "down", 1)];
}

// src/filter_controls.js
var FIND_FROM = 10;
var COUNT_BAR_PX = 40;
var EXPIRY_FIELDS = { within: "within" };
var TIME_FIELDS = { older_than: "older than", newer_than: "newer than" };
var DATE_FIELDS = { after: "from (UTC)", before: "to (UTC)" };
function makeControl(popover, control) {
  switch (control.kind) {
    case "options":
      return makeOptions(popover, control);
    case "time":
      return makeDates(popover, control, TIME_FIELDS);
    case "expiry":
      return makeDates(popover, control, EXPIRY_FIELDS);
    case "number":
      return makeRange(popover, control);
    case "metadata":
      return makeMetadata(popover, control);
    case "columns":
      return makeColumnList(popover);
    default:
      return [];
  }
}
function makeField(label, props, change, event) {
  const input = el("input", { class: "tkf-input", ...props, on: { [event]: () => change(input) } });
  return el("label", { class: "tkf-field" }, el("span", {}, label), input);
}
function makeOptions(popover, control) {
  if (popover.facet.name !== control.name) return [el("div", { class: "tkf-muted" }, "counting …")];
  const selected = (
    /** @type {OptionValue[]} */
    control.value ?? []
  );
  const options = popover.facet.options ?? [];
  const most = Math.max(1, ...options.map((option) => option.rows));
  const rows = options.filter((option) => option.label.toLowerCase().includes(popover.search.toLowerCase())).map((option) => makeOption(popover, option, selected, most));
  const nothing = rows.length ? null : el("div", { class: "tkf-muted" }, "none");
  const list = el("div", { class: "tkf-options", role: "group" }, ...rows, nothing);
  const find = options.length >= FIND_FROM ? [makeFind(popover)] : [];
  const clear = selected.length ? [button("Any", () => popover.set(null), { "data-name": "any" })] : [];
  return [...find, list, ...clear];
}
function makeOption(popover, option, selected, most) {
  const isOn = selected.includes(option.value);
  const others = selected.filter((value) => value !== option.value);
  const toggle = () => popover.set(isOn ? others : [...selected, option.value]);
  const check = el("input", { type: "checkbox", "data-name": `option ${option.label}`, on: { change: toggle } });
  check.checked = isOn;
  return el(
    "label",
    { class: "tkf-option", title: option.label },
    check,
    el("span", { class: "tkf-option-label" }, option.label),
    el("span", { class: "tkf-option-bar", style: { width: `${COUNT_BAR_PX * option.rows / most}px` } }),
    el("span", { class: "tkf-option-rows" }, formatCount(option.rows))
  );
}
function makeFind(popover) {
  const find = () => {
    popover.search = input.value;
    popover.draw();
  };
  const looks = { class: "tkf-input", placeholder: "find", "aria-label": "find an option", "data-name": "find" };
  const input = el("input", { type: "search", ...looks, value: popover.search, on: { input: find } });
  return input;
}
function makeDates(popover, control, dayFields) {
  const value = (
    /** @type {TimeRange & Record<string, unknown>} */
    control.value ?? {}
  );
  const quick = control.quick.map((pick) => makeQuickPick(popover, pick, value));
  const change = (name, given) => {
    const { control: now } = popover;
    const set = now && "value" in now ? (
      /** @type {TimeRange} */
      now.value ?? {}
    ) : {};
    popover.set(updateTimeRange(set, name, given));
  };
  const days = Object.entries(dayFields).map(([name, text]) => {
    const props = { type: "number", min: 0, step: "any", value: String(value[name] ?? ""), "data-name": name };
    return makeField(`${text} (days)`, props, (input) => change(name, readNumber(input)), "change");
  });
  const dates = Object.entries(DATE_FIELDS).map(([name, text]) => {
    const props = { type: "date", value: String(value[name] ?? "").slice(0, 10), "data-name": name };
    return makeField(text, props, (input) => change(name, input.value), "change");
  });
  const fields = el("div", { class: "tkf-fields" }, ...days, ...dates);
  return [el("div", { class: "tkf-quicks", role: "group" }, ...quick), fields];
}
function makeQuickPick(popover, pick, value) {
  const isSet = JSON.stringify(pick.value) === JSON.stringify(value);
  const toggle = () => {
    popover.set(isSet ? null : pick.value);
    popover.draw();
  };
  const looks = { class: "tkf-button tkf-quick", "aria-pressed": String(isSet), "data-name": pick.label };
  return button(pick.label, toggle, looks);
}
var readNumber = (input) => input.value === "" ? null : Number(input.value);
function makeRange(popover, control) {
  const unit = control.unit ? ` (${control.unit})` : "";
  const ends = [.../** @type {(number | null)[]} */
  control.value ?? [null, null]];
  const fields = ["at least", "at most"].map((text, end) => {
    const change = (input) => {
      ends[end] = readNumber(input);
      control.value = [...ends];
      popover.sendTyped(control.name, cleanRange(ends));
    };
    const props = { type: "number", step: "any", value: ends[end] ?? "", "data-name": text };
    return makeField(text + unit, props, change, "input");
  });
  return [el("div", { class: "tkf-fields" }, ...fields)];
}
function makeMetadata(popover, control) {
  const match = { key: "", value: "", .../** @type {MetadataMatch | null} */
  control.value };
  const change = (part) => {
    Object.assign(match, part);
    control.value = { ...match };
    popover.sendTyped(control.name, match.key ? { ...match } : null);
  };
  const id = `${popover.root.dataset.tkf}-keys`;
  const keys = el("datalist", { id }, ...(popover.facet.keys ?? []).map((key) => el("option", { value: key })));
  const keyProps = { type: "text", list: id, value: match.key, "data-name": "key" };
  const valueProps = { type: "text", value: match.value, "data-name": "value" };
  const fields = [
    makeField("key", keyProps, (input) => change({ key: input.value }), "input"),
    makeField("value (empty: any)", valueProps, (input) => change({ value: input.value }), "input")
  ];
  return [el("div", { class: "tkf-fields" }, ...fields), keys];
}

// src/filter_popover.js
var TYPED_MS = 200;
var GAP_PX = 4;
function placePopover(opener, view, { width, height }, windowHeight) {
  const left = Math.max(view.left, Math.min(opener.left, view.right - width - GAP_PX));
  const [below, above] = [opener.bottom + GAP_PX, opener.top - GAP_PX - height];
  const isTooLow = below + height > windowHeight && above >= 0;
  return { left, top: isTooLow ? above : below };
}
var FilterPopover = class {
  /** @param {(request: Request) => void} send @param {HTMLElement} root */
  constructor(send, root) {
    this.send = send;
    this.root = root;
    this.control = null;
    this.opener = null;
    this.facet = { name: "" };
    this.search = "";
    this.shownColumns = [];
    this.hasBeenEntered = false;
    this.sendTyped = debounce(
      (name, value) => this.filter(name, value),
      TYPED_MS
    );
    const looks = { class: "tkf-popover", role: "dialog", popover: "auto", tabindex: -1 };
    this.element = el("div", { ...looks, on: this.listeners() });
    this.follow = (event) => this.followOpener(event.target);
    addEventListener("scroll", this.follow, true);
    addEventListener("resize", this.follow);
  }
  remove() {
    removeEventListener("scroll", this.follow, true);
    removeEventListener("resize", this.follow);
  }
  listeners() {
    return {
      keydown: (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.close();
      },
      focusout: (event) => this.closeFromFocus(event.relatedTarget),
      beforetoggle: (event) => event.newState === "closed" && this.forget()
    };
  }
  // ── opening and closing ──
  /** @param {PopoverControl} control @param {HTMLElement} opener */
  toggle(control, opener) {
    const isOpen = this.control?.name === control.name;
    this.close();
    if (isOpen) return;
    this.control = control;
    this.opener = opener;
    this.search = "";
    this.facet = { name: "" };
    opener.setAttribute("aria-expanded", "true");
    this.element.setAttribute("aria-label", control.label);
    this.send({ do: "facet", name: control.name });
    this.draw();
    this.element.showPopover();
    this.place();
    this.enter();
  }
  // Move the focus in as soon as there is something to focus; options arrive a moment later.
  enter() {
    const first = this.element.querySelector("input, button");
    focusFirst(first);
    this.hasBeenEntered = Boolean(first);
  }
  close() {
    const hadFocus = this.element.contains(document.activeElement);
    const { opener } = this;
    this.element.hidePopover();
    if (hadFocus) opener?.focus({ preventScroll: true });
  }
  // However it was closed: by `close`, or by the browser after a press elsewhere.
  forget() {
    if (!this.control) return;
    this.opener?.setAttribute("aria-expanded", "false");
    this.control = this.opener = null;
    this.send({ do: "facet", name: "" });
  }
  // Not when the focus goes to what the view is in, such as a notebook's cell: that is not elsewhere.
  /** @param {EventTarget | null} target where the focus goes */
  closeFromFocus(target) {
    const isElsewhere = target instanceof Node && !this.element.contains(target) && !target.contains(this.element);
    if (isElsewhere && target !== this.opener) this.element.hidePopover();
  }
  /** @param {EventTarget | null} target what was scrolled or resized */
  followOpener(target) {
    if (!(target instanceof Node && this.element.contains(target))) this.place();
  }
  /** Take over the button of the same name after the buttons were drawn again. @param {HTMLElement} buttons */
  adopt(buttons) {
    const children = (
      /** @type {HTMLElement[]} */
      [...buttons.children]
    );
    const same = this.control && children.find((child) => child.dataset.name === this.control?.name);
    if (same) this.opener = same;
  }
  place() {
    if (!this.opener) return;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const [view, opener] = [this.root, this.opener].map((element) => element.getBoundingClientRect());
    const { left, top } = placePopover(opener, view, { width, height }, innerHeight);
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px` });
  }
  // ── messages from Python ──
  /** @param {FilterControl[]} controls */
  update(controls) {
    if (!this.control) return;
    const now = controls.find((control) => control.name === this.control?.name);
    if (now) this.control = { ...now };
    if (!this.element.contains(document.activeElement) || this.control.kind === "options") this.draw();
  }
  /** @param {Facet} facet */
  updateFacet(facet) {
    this.facet = facet;
    if (!this.control) return;
    this.draw();
    this.place();
    if (!this.hasBeenEntered && document.activeElement === this.opener) this.enter();
  }
  /** @param {string[]} names */
  updateColumns(names) {
    this.shownColumns = names;
    if (this.control?.kind === "columns") this.draw();
  }
  // ── used by its controls ──
  draw() {
    const { control } = this;
    if (control) redraw(this.element, () => this.element.replaceChildren(...makeControl(this, control)));
  }
  /** @param {string} name @param {FilterValue} value */
  filter(name, value) {
    this.send({ do: "filter", name, value });
  }
  /** Set the filter that is open. @param {FilterValue} value */
  set(value) {
    if (!this.control || this.control.kind === "columns") return;
    this.control.value = value;
    this.filter(this.control.name, value);
  }
};

// src/filter_bar.js
var SEARCH_MS = 25;
var QUERY_MS = 250;
var TYPED = ["text", "query"];
var FilterBar = class {
  /** @param {(request: Request) => void} send @param {HTMLElement} root */
  constructor(send, root) {
    this.send = send;
    this.popover = new FilterPopover(send, root);
    this.sendTyped = {
      text: debounce((value) => this.filter("text", value), SEARCH_MS),
      query: debounce((value) => this.filter("query", value), QUERY_MS)
    };
    this.search = this.makeInput("text", "search", "Search names, paths, metadata");
    this.query = this.makeInput("query", "text", "pandas query, e.g. size_gb > 1 and not public");
    this.query.classList.add("tkf-code");
    this.query.setAttribute("spellcheck", "false");
    this.error = el("div", { class: "tkf-error tkf-query-error", role: "alert", id: `${root.dataset.tkf}-error` });
    this.query.setAttribute("aria-describedby", this.error.id);
    this.buttons = el("div", { class: "tkf-buttons", role: "toolbar", "aria-label": "filters" });
    this.chips = el("div", { class: "tkf-chips" });
    const query = el("div", { class: "tkf-query tkf-wide" }, this.query, this.error);
    const typed = el("div", { class: "tkf-line tkf-typed" }, this.search, query);
    this.element = el("div", { class: "tkf-bar" }, typed, this.buttons, this.chips);
  }
  remove() {
    this.cancelTyped();
    this.popover.remove();
  }
  /** @param {"text" | "query"} name @param {string} type @param {string} text */
  makeInput(name, type, text) {
    const input = el("input", {
      type,
      class: "tkf-input tkf-wide",
      placeholder: text,
      "aria-label": text,
      "data-name": name,
      on: { input: () => this.sendTyped[name](input.value) }
    });
    return input;
  }
  /** @param {string} name @param {string | null} value */
  filter(name, value) {
    this.send({ do: "filter", name, value });
  }
  /** @param {FilterBarState} bar */
  update({ controls }) {
    const typed = new Map(controls.map((control) => [control.name, control]));
    showTyped(this.search, typed.get("text"));
    showTyped(this.query, typed.get("query"));
    const others = controls.filter((control) => !TYPED.includes(control.name));
    redraw(this.buttons, () => this.buttons.replaceChildren(...others.map((control) => this.makeOpener(control))));
    this.drawChips(
      others.filter((control) => control.text || control.error),
      controls.some((control) => control.value)
    );
    this.error.textContent = capitalize(typed.get("query")?.error ?? "");
    this.popover.update(controls);
    this.popover.adopt(this.buttons);
  }
  /** @param {FilterControl[]} set @param {boolean} hasValue */
  drawChips(set, hasValue) {
    const isAny = set.length > 0 || hasValue;
    const reset = () => button("Reset", () => this.reset(), { "data-name": "reset", class: "tkf-button tkf-reset" });
    this.chips.hidden = !isAny;
    redraw(
      this.chips,
      () => this.chips.replaceChildren(...set.map((control) => this.makeChip(control)), ...isAny ? [reset()] : [])
    );
  }
  /** Make the button that opens a control's popover. @param {PopoverControl} control @param {string} [look] */
  makeOpener(control, look = "tkf-button tkf-opener") {
    const isOpen = this.popover.control?.name === control.name;
    const toggle = (event) => {
      event.preventDefault();
      this.popover.toggle(control, opener);
    };
    const opener = button(`${control.label} ▾`, toggle, {
      class: `${look}${control.text ? " tkf-set" : ""}`,
      "aria-haspopup": "dialog",
      "aria-expanded": String(isOpen),
      "data-name": control.name
    });
    opener.popoverTargetElement = this.popover.element;
    return opener;
  }
  /** @param {FilterControl} control */
  makeChip({ name, label, text, error }) {
    const off = button("×", () => this.filter(name, null), {
      class: "tkf-link",
      "aria-label": `remove the filter ${label}`,
      "data-name": `off ${name}`
    });
    const chip = `${label}: ${error || text}`;
    const look = { class: `tkf-chip${error ? " tkf-error" : ""}`, title: chip, role: error ? "alert" : null };
    return el("span", look, el("span", { class: "tkf-chip-text" }, chip), off);
  }
  reset() {
    this.cancelTyped();
    this.search.value = this.query.value = "";
    this.send({ do: "reset" });
  }
  cancelTyped() {
    for (const typed of Object.values(this.sendTyped)) typed.cancel();
  }
};
function showTyped(input, control) {
  input.hidden = !control;
  if (control && document.activeElement !== input) input.value = String(control.value ?? "");
  input.setAttribute("aria-invalid", String(Boolean(control?.error)));
}

// src/grid_columns.js
var CHECK_PX = 34;
var FITTED_PX = [60, 700];
var FITTED_PADDING_PX = 26;
var computeWidths = (columns) => [CHECK_PX, ...columns.map((column) => column.width)];
var linksWidth = (openings) => Math.round(openings.reduce((sum, label) => sum + 15 + label.length * 6.2, 36));
var gridTemplate = (widths) => `${widths.map((width) => `${width}px`).join(" ")} minmax(0, 1fr)`;
function fitWidth(texts) {
  const [least, most] = FITTED_PX;
  return Math.min(most, Math.max(least, ...texts.map((width) => width + FITTED_PADDING_PX)));
}
var sortedColumn = (name) => name.replace(/^-/, "");
function findSort(sort, id) {
  const place = sort.findIndex((name) => sortedColumn(name) === id);
  return { place, isDescending: place >= 0 && sort[place].startsWith("-") };
}
function nextSort(sort, id, isAdded) {
  const { place, isDescending } = findSort(sort, id);
  const next = place < 0 ? [id] : isDescending ? [] : [`-${id}`];
  if (!isAdded) return next;
  const others = sort.filter((_, at) => at !== place);
  others.splice(place < 0 ? others.length : place, 0, ...next);
  return others;
}
function moveColumn(columns, id, to) {
  const from = columns.indexOf(id);
  if (from < 0 || to < 0 || to >= columns.length || from === to) return null;
  const moved = columns.filter((name) => name !== id);
  moved.splice(to, 0, id);
  return moved;
}

// src/grid_header.js
var DRAG_TYPE = "text/x-tkf";
function makeHeader(grid) {
  const { columns } = grid.data;
  return [makeSelectAll(grid), ...columns.map((column, at) => makeColumnHeader(grid, column, at + 1))];
}
function makeSelectAll(grid) {
  return el(
    "div",
    {
      class: "tkf-head-cell tkf-check",
      role: "columnheader",
      id: grid.cellId(-1, 0),
      title: "select all that match, or none (Ctrl+A)",
      "aria-colindex": 1,
      "aria-label": `select all ${formatCount(grid.data.rows)} that match`,
      on: { click: () => grid.toggleAll() }
    },
    grid.all === true ? "☑" : grid.all === null ? "◪" : "☐"
  );
}
function makeColumnHeader(grid, column, place) {
  const { place: at, isDescending } = findSort(grid.data.sort, column.id);
  const mark = at < 0 ? "" : `${isDescending ? "▼" : "▲"}${grid.data.sort.length > 1 ? at + 1 : ""}`;
  return el(
    "div",
    {
      class: `tkf-head-cell tkf-${column.align}`,
      role: "columnheader",
      id: grid.cellId(-1, place),
      "aria-sort": at < 0 ? "none" : isDescending ? "descending" : "ascending",
      draggable: "true",
      title: `${column.label}
${column.doc}`,
      "aria-label": column.label,
      "aria-colindex": place + 1,
      "data-column": column.id,
      on: columnListeners(grid, column)
    },
    el("span", { class: "tkf-head-text" }, column.label),
    el("span", { class: "tkf-sort" }, mark),
    makeHandle(grid, column)
  );
}
function columnListeners(grid, column) {
  return {
    click: (event) => grid.sort(column.id, event.shiftKey),
    dragstart: (event) => event.dataTransfer?.setData(DRAG_TYPE, column.id),
    dragover: (event) => event.preventDefault(),
    drop: (event) => {
      event.preventDefault();
      const moved = event.dataTransfer?.getData(DRAG_TYPE);
      if (moved) grid.move(moved, grid.data.columns.indexOf(column));
    }
  };
}
function makeHandle(grid, column) {
  let start = null;
  const drag = (event, isFinal) => {
    if (start !== null) grid.resize(column, Math.round(column.width + event.clientX - start), isFinal);
  };
  const handle = el("span", {
    class: "tkf-handle",
    title: "drag to size; double-click to fit",
    draggable: "false",
    on: {
      click: (event) => event.stopPropagation(),
      dblclick: (event) => {
        event.stopPropagation();
        grid.fit(column);
      },
      pointerdown: (event) => {
        event.stopPropagation();
        event.preventDefault();
        start = event.clientX;
        handle.setPointerCapture(event.pointerId);
      },
      pointermove: (event) => drag(event, false),
      pointerup: (event) => {
        drag(event, true);
        start = null;
      },
      pointercancel: () => {
        start = null;
      }
    }
  });
  return handle;
}

// src/grid_window.js
var ROW_PX = 28;
var SPARE_ROWS = 8;
var TALLEST_PX = 15e6;
function computeSpan(rows, windowPx, scrollTop) {
  const full = rows * ROW_PX;
  const shown = Math.max(ROW_PX, windowPx);
  const height = Math.min(full, TALLEST_PX);
  const share = height > shown ? scrollTop / (height - shown) : 0;
  const top = height < full ? share * (full - shown) : scrollTop;
  return {
    height,
    top,
    offset: scrollTop - top,
    first: Math.floor(top / ROW_PX),
    last: Math.ceil((top + shown) / ROW_PX)
  };
}
function rowsToDraw({ first, last }, rows) {
  return [Math.max(0, first - SPARE_ROWS), Math.min(rows, last + SPARE_ROWS)];
}
function chunksToDraw(span, rows, chunkRows) {
  const [from, to] = rowsToDraw(span, rows);
  const first = Math.floor(from / chunkRows);
  const last = Math.floor((to - 1) / chunkRows);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
}
function scrollToRow(row, rows, windowPx, scrollTop) {
  const { height, top } = computeSpan(rows, windowPx, scrollTop);
  const full = rows * ROW_PX;
  const scale = height < full ? (height - windowPx) / (full - windowPx) : 1;
  if (row * ROW_PX < top) return Math.floor(row * ROW_PX * scale);
  if ((row + 1) * ROW_PX > top + windowPx) return Math.ceil(((row + 1) * ROW_PX - windowPx) * scale);
  return scrollTop;
}
function scrollToColumn(column, widths, windowPx, scrollLeft) {
  const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
  const before = left < scrollLeft ? column > 1 ? left : 0 : scrollLeft;
  const seen = windowPx - (column < widths.length - 1 ? widths[widths.length - 1] : 0);
  return left + widths[column] > before + seen ? Math.min(left, left + widths[column] - seen) : before;
}
var pageRows = (windowPx) => Math.max(1, Math.floor(windowPx / ROW_PX) - 1);
var clamp = (value, least, most) => Math.max(least, Math.min(most, value));

// src/grid_keys.js
var RESIZE_PX = 20;
function handleKey(grid, event) {
  if (event.target !== grid.element) return;
  const { row, column } = grid.cursor;
  const isInHeader = event.altKey && row < 0 && column > 0;
  if (!(isInHeader ? arrangeColumn(grid, event) : moveByKey(grid, event) || selectByKey(grid, event))) return;
  event.preventDefault();
  event.stopPropagation();
}
function stepOf(key, page) {
  switch (key) {
    case "ArrowDown":
      return [1, 0];
    case "ArrowUp":
      return [-1, 0];
    case "PageDown":
      return [page, 0];
    case "PageUp":
      return [-page, 0];
    case "ArrowLeft":
      return [0, -1];
    case "ArrowRight":
      return [0, 1];
  }
}
function moveByKey(grid, event) {
  const { row, column } = grid.cursor;
  const isToEnds = event.ctrlKey || event.metaKey;
  const step = stepOf(event.key, pageRows(grid.windowPx));
  if (step) moveTo(grid, row + step[0], column + step[1], event.shiftKey && step[0] !== 0);
  else if (event.key === "Home") moveTo(grid, isToEnds ? 0 : row, isToEnds ? column : 0, event.shiftKey && isToEnds);
  else if (event.key === "End")
    moveTo(grid, isToEnds ? grid.data.rows - 1 : row, isToEnds ? column : grid.lastColumn, event.shiftKey && isToEnds);
  else return false;
  return true;
}
function selectByKey(grid, event) {
  const isModified = event.ctrlKey || event.metaKey;
  const letter = isModified ? event.key.toLowerCase() : "";
  if (letter === "a") grid.select("all");
  else if (letter === "c" && !grid.hasMarkedText()) grid.copy(cursorText(grid));
  else if (event.key === "Escape") grid.select("none");
  else if (event.key === " " && grid.cursor.row >= 0) selectCursor(grid, event.shiftKey);
  else if (event.key === "Enter" || event.key === " ") openCursor(grid, event.shiftKey);
  else return false;
  return true;
}
function arrangeColumn(grid, event) {
  const place = grid.cursor.column - 1;
  const column = grid.data.columns[place];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!column || !step) return false;
  if (!event.shiftKey) grid.resize(column, column.width + RESIZE_PX * step);
  else {
    grid.move(column.id, place + step);
    grid.cursor.column = clamp(grid.cursor.column + step, 1, grid.data.columns.length);
  }
  return true;
}
function moveTo(grid, row, column, isRange) {
  const before = grid.cursor.row;
  const isInHeader = row < 0;
  const last = isInHeader ? grid.lastColumn - 1 : grid.lastColumn;
  grid.cursor = { row: clamp(row, -1, grid.data.rows - 1), column: clamp(column, 0, last) };
  if (isRange && before >= 0 && grid.cursor.row >= 0) {
    if (!grid.isRanging || grid.anchor === null) grid.anchor = before;
    grid.select("add", grid.anchor, grid.cursor.row);
  }
  grid.isRanging = isRange;
  grid.revealCursor();
  grid.draw(true);
}
function selectCursor(grid, isRange) {
  const { row } = grid.cursor;
  if (isRange && grid.anchor !== null) return grid.select("add", grid.anchor, row);
  grid.anchor = row;
  grid.select("toggle", row, row);
}
function openCursor(grid, isSecond) {
  const { row, column } = grid.cursor;
  const label = grid.data.openings[isSecond ? 1 : 0];
  if (row >= 0) return label && grid.open(label, row);
  if (column === 0) return grid.toggleAll();
  const sorted = grid.data.columns[column - 1];
  if (sorted) grid.sort(sorted.id, isSecond);
}
function cursorText(grid) {
  const data = grid.rowAt(grid.cursor.row);
  const kind = grid.data.columns[grid.cursor.column - 1]?.kind;
  return data ? textToCopy(data, grid.cursor.column, kind) : "";
}
function textToCopy(row, column, kind) {
  const { key, cells } = readRow(row);
  const [text, title] = [cells[column - 1] ?? key].flat();
  const isExact = kind === "time" && /^\d/.test(title ?? "");
  return title && (isExact || text.endsWith("…")) ? title : text;
}

// src/grid_mouse.js
var targetOf = (event) => (
  /** @type {HTMLElement} */
  event.target
);
function handleMouseDown(grid, event) {
  const isOnButton = targetOf(event).closest("button");
  if (isOnButton || event.shiftKey) event.preventDefault();
  if (isOnButton) grid.element.focus({ preventScroll: true });
}
function handleClick(grid, event) {
  const target = targetOf(event);
  const row = (
    /** @type {HTMLElement | null} */
    target.closest(".tkf-row")
  );
  if (!row) return;
  const place = Number(row.dataset.place);
  if (target.dataset.open) grid.open(target.dataset.open, place);
  else if ("copy" in target.dataset) grid.copy(row.dataset.key ?? "");
  else if (!grid.hasMarkedText()) selectRow(grid, place, columnOf(target), event.shiftKey);
}
function selectRow(grid, row, column, isRange) {
  grid.cursor = { row, column };
  if (isRange && grid.anchor !== null) grid.select("add", grid.anchor, row);
  else grid.select("toggle", row, row);
  if (!isRange) grid.anchor = row;
  grid.markCursor();
}
function columnOf(target) {
  const cell = target.closest(".tkf-cell");
  return cell ? [...cell.parentElement?.children ?? []].indexOf(cell) : 0;
}

// src/summary_scale.js
var PLOT_HEIGHT = 26;
var LEAST_HEIGHT = 1.5;
function barBoxes({ counts, shown }) {
  const most = Math.max(1, ...counts);
  const room = 100 / Math.max(1, counts.length);
  const heightOf = (rows) => rows ? Math.max(LEAST_HEIGHT, PLOT_HEIGHT * rows / most) : 0;
  return counts.map((rows, at) => ({
    x: at * room + room * 0.06,
    width: room * 0.88,
    height: heightOf(rows),
    shown: heightOf(shown ? shown[at] : rows)
  }));
}
var binAt = (x, { left, width }, bins) => Math.max(0, Math.min(bins - 1, Math.floor((x - left) / width * bins)));
function describeGroup({ kind, counts, rest, na, rows, labels, shown }, at) {
  const number = at < counts.length ? counts[at] : at === counts.length ? rest : na;
  const bin = kind === "histogram" ? nameBin(labels, at) : labels[at];
  const name = at < counts.length ? bin : at === counts.length ? "other values" : "no value (NA)";
  const title = `${name}: ${formatRows(number, "row")}, ${formatShare(number, rows)}`;
  return { rows: number, title, isHidden: shown !== void 0 && !shown[at] };
}
var nameBin = (edges, at) => edges[at] === edges[at + 1] ? edges[at] : `${edges[at]} to ${edges[at + 1]}`;
function describeSummary(summary) {
  const { kind, counts, na, caption } = summary;
  const values = counts.map((_, at) => describeGroup(summary, at).title);
  const parts = kind === "values" && values.length ? values : [caption];
  if (na) parts.push(describeGroup(summary, counts.length + 1).title);
  return parts.filter(Boolean).join("; ") || "no rows";
}

// src/grid_summaries.js
var NA = -1;
var SummaryRow = class {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.send = send;
    this.element = el("div", { class: "tkf-summaries", role: "row" });
    this.columns = [];
    this.data = { number: -1, columns: [] };
  }
  /** @param {Summaries} data */
  update(data) {
    this.data = data;
    this.draw(this.columns);
  }
  /** @param {Column[]} columns */
  draw(columns) {
    this.columns = columns;
    const found = new Map(this.data.columns.map((summary) => [summary.id, summary]));
    const cells = columns.map((column) => this.makeCell(column, found.get(column.id)));
    this.element.replaceChildren(el("div", { role: "gridcell" }), ...cells);
  }
  /** @param {Column} column @param {Summary | undefined} summary */
  makeCell(column, summary) {
    if (!summary) return el("div", { class: "tkf-summary", role: "gridcell" });
    const pick = (first, last) => this.send({ do: "pick", id: summary.id, first, last, number: this.data.number });
    const props = { class: "tkf-summary", role: "gridcell", "data-summary": summary.id };
    const label = `${column.label}: ${describeSummary(summary)}`;
    const picture = summary.kind === "histogram" ? makeHistogram(summary, label, pick) : makeShares(summary, pick);
    return el("div", { ...props, "aria-label": label }, picture, makeCaption(summary, pick));
  }
};
function makeHistogram(summary, label, pick) {
  const bars = barBoxes(summary).map(
    ({ x, width, height, shown }, at) => svg(
      "g",
      {},
      svg("title", {}, describeGroup(summary, at).title),
      svg("rect", { class: "tkf-bin-room", x, y: 0, width, height: PLOT_HEIGHT }),
      svg("rect", { class: "tkf-bin-other", x, y: PLOT_HEIGHT - height, width, height }),
      svg("rect", { class: "tkf-bin", x, y: PLOT_HEIGHT - shown, width, height: shown })
    )
  );
  const plot = svg(
    "svg",
    {
      class: "tkf-histogram",
      viewBox: `0 0 100 ${PLOT_HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label
    },
    ...bars
  );
  if (summary.picks && summary.counts.length) addBrush(plot, summary.counts.length, pick);
  return plot;
}
function addBrush(plot, bins, pick) {
  let start = null;
  const brush = svg("rect", { class: "tkf-brush", y: 0, height: PLOT_HEIGHT, width: 0 });
  const at = (event) => binAt(event.clientX, plot.getBoundingClientRect(), bins);
  const draw = (end) => {
    brush.setAttribute("x", String(100 * Math.min(start ?? end, end) / bins));
    brush.setAttribute("width", String(100 * (Math.abs((start ?? end) - end) + 1) / bins));
  };
  plot.classList.add("tkf-picked");
  plot.append(brush);
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    start = at(event);
    plot.setPointerCapture(event.pointerId);
    draw(start);
  });
  plot.addEventListener("pointermove", (event) => start !== null && draw(at(event)));
  plot.addEventListener("pointerup", (event) => {
    if (start !== null) pick(Math.min(start, at(event)), Math.max(start, at(event)));
    start = null;
  });
  plot.addEventListener("pointercancel", () => {
    start = null;
    brush.setAttribute("width", "0");
  });
}
function makeShares(summary, pick) {
  const groups = summary.counts.map((_, at) => describeGroup(summary, at));
  const values = groups.map(
    (group, at) => makeShare(group, `tkf-share-${at}`, summary.picks && (() => pick(at, at)), summary.labels[at])
  );
  const rest = makeShare(describeGroup(summary, summary.counts.length), "tkf-share-rest", false);
  return el("div", { class: "tkf-shares" }, ...values, rest);
}
function makeShare({ rows, title, isHidden }, look, pick, label) {
  if (!rows) return null;
  const looks = `tkf-share ${look}${isHidden ? " tkf-share-hidden" : ""}`;
  const props = { class: looks, title, style: { flexGrow: String(rows) } };
  if (!pick) return el("span", props);
  return button("", pick, { ...props, "aria-label": title, tabindex: -1, "data-name": `pick ${label}` });
}
function makeCaption(summary, pick) {
  const { kind, counts, rows, na, caption } = summary;
  const share = kind === "values" && counts.length ? `${formatShare(counts[0], rows)} ` : "";
  const text = `${formatShare(na, rows)} NA`;
  const { title } = describeGroup(summary, counts.length + 1);
  const looks = { class: "tkf-link tkf-summary-na", title, tabindex: -1, "aria-label": title };
  const missing = summary.picks_na ? button(text, () => pick(NA, NA), looks) : el("span", { class: "tkf-summary-na", title }, text);
  return el(
    "div",
    { class: "tkf-summary-line" },
    el("span", { class: "tkf-summary-text", title: share + caption }, share + caption),
    na > 0 && missing
  );
}

// src/grid.js
var ASK_MS = 25;
var LEAST_HEIGHT_PX = 220;
var FRAME_PX = 108;
var MOST_CHUNKS = 60;
var Grid = class {
  /**
   * @param {(request: Request) => void} send
   * @param {(text: string) => void} say shows a note
   * @param {Limits} limits
   */
  constructor(send, say, limits) {
    this.send = send;
    this.say = say;
    this.limits = limits;
    this.id = uniqueId();
    this.data = { number: -1, moves: -1, rows: 0, columns: [], sort: [], openings: [], first: [] };
    this.shape = "";
    this.chunks = /* @__PURE__ */ new Map();
    this.asked = /* @__PURE__ */ new Set();
    this.cursor = { row: 0, column: 0 };
    this.anchor = null;
    this.isRanging = false;
    this.all = false;
    this.drawn = "";
    this.rows = /* @__PURE__ */ new Map();
    this.header = el("div", { class: "tkf-header", role: "row", "aria-rowindex": 1 });
    this.summaries = new SummaryRow(send);
    this.head = el("div", { class: "tkf-head", role: "rowgroup" }, this.header, this.summaries.element);
    this.body = el("div", { class: "tkf-body", role: "rowgroup" });
    this.empty = el("div", { class: "tkf-empty", hidden: true });
    this.element = this.makeElement();
    this.ask = debounce(() => this.requestMissing(), ASK_MS);
    this.body.addEventListener("mousedown", (event) => handleMouseDown(this, event));
    this.body.addEventListener("click", (event) => handleClick(this, event));
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
  }
  makeElement() {
    const on = {
      scroll: () => this.draw(),
      keydown: (event) => handleKey(this, event),
      focus: () => this.markCursor(),
      blur: () => this.markCursor()
    };
    const roles = { role: "grid", tabindex: 0, "aria-label": "rows", "aria-multiselectable": "true" };
    return el("div", { class: "tkf-grid", ...roles, on }, this.head, this.body, this.empty);
  }
  remove() {
    this.watcher.disconnect();
    this.ask.cancel();
  }
  // ── messages from Python ──
  /** @param {GridState} data */
  update(data) {
    const isMoved = data.moves !== this.data.moves;
    if (data.number !== this.data.number) this.anchor = null;
    this.data = data;
    this.chunks = /* @__PURE__ */ new Map([[0, data.first]]);
    this.asked = /* @__PURE__ */ new Set();
    if (isMoved) this.element.scrollTop = 0;
    this.shape = JSON.stringify([data.columns.map(({ id, align, kind }) => [id, align, kind]), data.openings]);
    if (this.cursor.row >= 0) this.cursor.row = isMoved ? 0 : Math.max(0, Math.min(this.cursor.row, data.rows - 1));
    this.cursor.column = Math.min(this.cursor.column, this.lastColumn);
    this.element.setAttribute("aria-rowcount", String(data.rows + 1));
    this.element.setAttribute("aria-colcount", String(data.columns.length + 2));
    this.drawHead();
    this.summaries.draw(data.columns);
    this.draw(true);
  }
  /** @param {Summaries} summaries */
  updateSummaries(summaries) {
    this.summaries.update(summaries);
  }
  /** @param {Selection} selection */
  updateSelection(selection) {
    this.all = selection.all ? true : selection.rows - selection.hidden > 0 ? null : false;
    this.drawHead();
    this.asked = /* @__PURE__ */ new Set();
    const seen = this.chunksInSight();
    for (const place of this.chunks.keys()) if (!seen.includes(place)) this.chunks.delete(place);
    for (const place of seen) this.requestChunk(place);
  }
  /** @param {RowsReply} reply */
  takeRows({ chunk, number, rows }) {
    this.asked.delete(chunk);
    if (number !== this.data.number) return;
    this.chunks.set(chunk, rows);
    if (this.chunksInSight().includes(chunk)) this.draw(true);
  }
  // ── drawing ──
  /** Leave no empty room below a few rows. @param {number} rows */
  limitHeight(rows) {
    this.element.style.maxHeight = `${Math.max(LEAST_HEIGHT_PX, FRAME_PX + ROW_PX * rows)}px`;
  }
  get lastColumn() {
    return this.data.columns.length + 1;
  }
  get windowPx() {
    return this.element.clientHeight - this.head.offsetHeight;
  }
  widths() {
    return computeWidths(this.data.columns);
  }
  span() {
    return computeSpan(this.data.rows, this.windowPx, this.element.scrollTop);
  }
  /** @param {number[]} widths */
  setWidths(widths) {
    this.element.style.setProperty("--tkf-columns", gridTemplate(widths));
  }
  drawHead() {
    this.setWidths(this.widths());
    this.element.style.setProperty("--tkf-links", `${linksWidth(this.data.openings)}px`);
    this.header.replaceChildren(...makeHeader(this));
    this.markCursor();
  }
  /** @param {boolean} [isForced] draw also if the same rows are in sight */
  draw(isForced = false) {
    const span = this.span();
    const [from, to] = rowsToDraw(span, this.data.rows);
    const drawn = `${from}-${to}-${span.offset}-${this.data.number}`;
    if (!isForced && drawn === this.drawn) return;
    this.drawn = drawn;
    this.body.style.height = `${span.height}px`;
    this.drawRows(from, to, span.offset);
    this.empty.hidden = this.data.rows > 0;
    this.markCursor();
    this.ask();
  }
  // A row with the same content keeps its element, so that clicks and marked text are not lost.
  /** @param {number} from @param {number} to @param {number} offset */
  drawRows(from, to, offset) {
    const before = this.rows;
    this.rows = /* @__PURE__ */ new Map();
    for (let place = from; place < to; place++) {
      const data = this.rowAt(place);
      const content = JSON.stringify(data) + this.shape;
      const kept = before.get(place);
      const row = kept?.content === content ? kept.row : makeRow(this, place, data);
      row.style.top = `${place * ROW_PX + offset}px`;
      this.rows.set(place, { row, content });
    }
    for (const [place, { row }] of before) if (this.rows.get(place)?.row !== row) row.remove();
    this.orderRows();
  }
  orderRows() {
    const drawn = this.body.children;
    [...this.rows.values()].forEach(({ row }, at) => {
      if (drawn[at] !== row) this.body.insertBefore(row, drawn[at] ?? null);
    });
  }
  /** @param {number} place */
  rowAt(place) {
    const { chunk_rows: size } = this.limits;
    return this.chunks.get(Math.floor(place / size))?.[place % size];
  }
  /** @param {number} place @param {number} column */
  cellId(place, column) {
    return place < 0 ? `${this.id}-h-${column}` : `${this.id}-${place}-${column}`;
  }
  markCursor() {
    const id = this.cellId(this.cursor.row, this.cursor.column);
    for (const old of this.element.querySelectorAll(".tkf-cursor")) old.classList.remove("tkf-cursor");
    const cell = this.element.querySelector(`[id="${id}"]`);
    if (cell && document.activeElement === this.element) cell.classList.add("tkf-cursor");
    if (cell) this.element.setAttribute("aria-activedescendant", id);
    else this.element.removeAttribute("aria-activedescendant");
  }
  revealCursor() {
    const { row, column } = this.cursor;
    const { element } = this;
    if (row >= 0) element.scrollTop = scrollToRow(row, this.data.rows, this.windowPx, element.scrollTop);
    const widths = [...this.widths(), linksWidth(this.data.openings)];
    element.scrollLeft = scrollToColumn(column, widths, element.clientWidth, element.scrollLeft);
  }
  // ── requesting rows ──
  chunksInSight() {
    return chunksToDraw(this.span(), this.data.rows, this.limits.chunk_rows);
  }
  requestMissing() {
    const seen = this.chunksInSight();
    for (const place of seen) if (!this.chunks.has(place)) this.requestChunk(place);
    if (this.chunks.size <= MOST_CHUNKS) return;
    for (const place of this.chunks.keys()) if (!seen.includes(place) && place) this.chunks.delete(place);
  }
  /** @param {number} place */
  requestChunk(place) {
    if (this.asked.has(place)) return;
    this.asked.add(place);
    this.send({ do: "rows", number: this.data.number, place });
  }
  // ── user input ──
  /** @param {"toggle" | "add" | "all" | "none"} how @param {number} [first] @param {number} [last] */
  select(how, first = 0, last = 0) {
    this.send({ do: "select", how, first, last, number: this.data.number });
  }
  toggleAll() {
    this.send({ do: "select", how: this.all === true ? "none" : "all", number: this.data.number });
  }
  /** @param {string} label @param {number} place */
  open(label, place) {
    this.send({ do: "open", label, place, number: this.data.number });
  }
  /** @param {string} id @param {boolean} isAdded */
  sort(id, isAdded) {
    this.send({ do: "sort", sort: nextSort(this.data.sort, id, isAdded) });
  }
  /** @param {string} id @param {number} to */
  move(id, to) {
    const columns = this.data.columns.map((column) => column.id);
    const moved = moveColumn(columns, id, to);
    if (moved) this.send({ do: "columns", columns: moved });
  }
  /** @param {Column} column @param {number} width @param {boolean} [isFinal] false while its edge is dragged */
  resize(column, width, isFinal = true) {
    const clamped = clamp(width, this.limits.narrowest_px, this.limits.widest_px);
    const widths = this.widths();
    widths[this.data.columns.indexOf(column) + 1] = clamped;
    this.setWidths(widths);
    if (!isFinal) return;
    column.width = clamped;
    this.send({ do: "width", id: column.id, width: clamped });
  }
  /** @param {Column} column */
  fit(column) {
    const child = `> :nth-child(${this.data.columns.indexOf(column) + 2})`;
    const cells = this.element.querySelectorAll(`.tkf-row ${child}, .tkf-header ${child}`);
    this.resize(column, fitWidth([...cells].map(measureText)));
  }
  /** @param {string} text */
  async copy(text) {
    await copyText(text);
    this.say(`copied ${text}`);
  }
  hasMarkedText() {
    const marked = document.getSelection();
    return Boolean(String(marked)) && this.body.contains(marked?.anchorNode ?? null);
  }
};

// src/kernel.js
var SILENT_MS = 8e3;
var PING_MS = 1500;
var BUSY = "No answer from the kernel: it is busy with another cell, or gone. Run this cell again if it was restarted.";
var GONE = "The kernel of this view is gone. Run this cell again.";
var Kernel = class {
  /**
   * @param {Model} model
   * @param {(text: string) => void} say shows a note; no text puts it away
   */
  constructor(model, say) {
    this.model = model;
    this.say = say;
    this.isSilent = false;
    this.silence = void 0;
    this.listeners = [];
    this.on("comm_live_update", () => {
      if (this.post({ do: "ping" })) this.expectAnswer(GONE, PING_MS);
    });
  }
  remove() {
    clearTimeout(this.silence);
    for (const [name, listener] of this.listeners) this.model.off(name, listener);
  }
  /** @param {string} name @param {(message: any) => void} listener */
  on(name, listener) {
    this.model.on(name, listener);
    this.listeners.push([
      name,
      /** @type {() => void} */
      listener
    ]);
  }
  // ── to Python ──
  /** @param {Request} request */
  send(request) {
    if (this.post(request)) this.expectAnswer(BUSY, SILENT_MS);
  }
  // If the kernel is gone, sending fails, with an error or silently.
  /** @param {Request} request */
  post(request) {
    try {
      this.model.send(request);
      return true;
    } catch {
      this.setSilent(GONE);
      return false;
    }
  }
  /** @param {string} text @param {number} milliseconds */
  expectAnswer(text, milliseconds) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.setSilent(text), milliseconds);
  }
  /** @param {string} text */
  setSilent(text) {
    this.isSilent = Boolean(text);
    this.say(text);
  }
  // ── from Python ──
  noteAnswer() {
    clearTimeout(this.silence);
    if (this.isSilent) this.setSilent("");
  }
  /** @param {(reply: Reply) => void} take */
  onReply(take) {
    this.on("msg:custom", (reply) => {
      this.noteAnswer();
      take(reply);
    });
  }
  /**
   * Draw a part of the state, now and whenever it changes.
   *
   * @template {keyof ViewState} Name
   * @param {Name} name
   * @param {(data: NonNullable<ViewState[Name]>) => void} draw
   */
  follow(name, draw) {
    const drawNow = () => {
      const data = this.model.get(name);
      if (data) draw(data);
    };
    this.on(`change:${name}`, () => {
      this.noteAnswer();
      drawNow();
    });
    drawNow();
  }
};

// src/note.js
var Note = class {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.text = el("span", { class: "tkf-note-text", role: "status" });
    this.progress = el("span", { class: "tkf-muted" });
    const close = () => {
      this.show("");
      send({ do: "dismiss" });
    };
    this.close = button("×", close, { class: "tkf-link", "aria-label": "close this note" });
    this.cancel = button("Cancel", () => send({ do: "stop" }), { class: "tkf-link", "data-name": "stop" });
    const parts = [this.text, " ", this.progress, " ", this.close, this.cancel];
    this.element = el("div", { class: "tkf-note", hidden: true }, ...parts);
  }
  /** @param {string} text @param {{ progress?: Progress | null, isError?: boolean }} [more] */
  show(text, { progress = null, isError = false } = {}) {
    const hasFocus = this.element.contains(document.activeElement);
    this.element.hidden = !text;
    this.element.classList.toggle("tkf-error", isError);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.progress.textContent = progress ? formatProgress(progress) : "";
    this.close.hidden = Boolean(progress);
    this.cancel.hidden = !progress;
    if (hasFocus) focusFirst(progress ? this.cancel : text ? this.close : null, gridOf(this.element));
  }
};

// src/selection_bar.js
function describeSelection({ rows, hidden, size }) {
  if (!rows) return "none selected: select rows to act on them";
  const parts = [`${formatCount(rows)} selected`, size, hidden ? `${formatCount(hidden)} not in this view` : ""];
  return parts.filter(Boolean).join(", ");
}
var SelectionBar = class {
  /** @param {(request: Request) => void} send @param {() => number} orderNumber of the rows that are shown */
  constructor(send, orderNumber) {
    this.send = send;
    this.orderNumber = orderNumber;
    this.head = null;
    this.selection = null;
    this.isInvalid = false;
    this.count = el("span", { class: "tkf-selected-count", role: "status" });
    this.actions = el("div", { class: "tkf-action-buttons", role: "toolbar", "aria-label": "actions" });
    this.element = el("div", { class: "tkf-line tkf-actions" }, this.count, this.actions);
  }
  /** @param {Head} head */
  updateHead(head) {
    this.head = head;
    this.draw();
  }
  /** @param {Selection} selection */
  updateSelection(selection) {
    this.selection = selection;
    this.draw();
  }
  /** @param {boolean} isInvalid */
  updateFilters(isInvalid) {
    this.isInvalid = isInvalid;
    this.draw();
  }
  draw() {
    const { head, selection } = this;
    if (!head || !selection) return;
    redraw(this.count, () => this.count.replaceChildren(...this.makeCount(selection, head.count.rows)));
    const buttons = () => head.actions.map((action) => this.makeAction(action, selection.rows, head.noun));
    redraw(this.actions, () => this.actions.replaceChildren(...buttons()));
    this.actions.classList.toggle("tkf-withheld", !selection.rows || this.isInvalid);
  }
  /** @param {Selection} selection @param {number} matching */
  makeCount(selection, matching) {
    const all = () => this.send({ do: "select", how: "all", number: this.orderNumber() });
    const none = () => this.send({ do: "select", how: "none" });
    const wrong = "; no action until the filter is corrected";
    return [
      el(
        "span",
        { class: selection.hidden ? "tkf-hidden-count" : "" },
        `${describeSelection(selection)}${this.isInvalid && selection.rows ? wrong : ""}`
      ),
      selection.all || !matching || this.isInvalid ? "" : button(`Select all ${formatCount(matching)} matching`, all, { "data-name": "all" }),
      selection.rows ? button("Clear", none, { "data-name": "none" }) : ""
    ];
  }
  /** @param {ActionButton} action @param {number} rows @param {string} noun of one row */
  makeAction({ name, label, doc, tone }, rows, noun) {
    return button(label, () => this.send({ do: "begin", action: name }), {
      class: `tkf-button tkf-action${tone ? ` tkf-${tone}` : ""}`,
      title: `${doc} (${formatRows(rows, noun)})`,
      "data-name": name
    });
  }
};

// src/view.js
var AGE_MS = 5e3;
var View = class {
  /** @param {Model} model @param {HTMLElement} host */
  constructor(model, host) {
    this.root = el("div", { class: "tkf", "data-tkf": uniqueId() });
    this.head = null;
    const send = (request) => this.kernel.send(request);
    this.send = send;
    this.note = new Note(send);
    this.kernel = new Kernel(model, (text) => this.note.show(text, { isError: true }));
    this.grid = new Grid(send, (text) => this.note.show(text), model.get("_limits"));
    this.bar = new FilterBar(send, this.root);
    this.charts = new Charts(send);
    this.selection = new SelectionBar(send, () => this.grid.data.number);
    this.panel = new ActionPanel(send, this.selection.actions);
    this.trail = el("nav", { class: "tkf-trail", "aria-label": "tables" });
    this.count = el("span", { class: "tkf-count", role: "status" });
    this.age = el("span", { class: "tkf-age tkf-muted" });
    this.tools = el("span", { class: "tkf-tools" });
    this.banner = el("div", { class: "tkf-warn tkf-banner", role: "alert", hidden: true });
    this.root.append(...this.layOut());
    this.keepKeys();
    host.append(this.root);
    hideStaticTable(model.get("_static_id"));
    this.followState();
    this.clock = setInterval(() => this.drawAge(), AGE_MS);
    send({ do: "ready" });
  }
  remove() {
    clearInterval(this.clock);
    this.kernel.remove();
    this.grid.remove();
    this.bar.remove();
  }
  layOut() {
    const spring = el("span", { class: "tkf-spring" });
    return [
      el("div", { class: "tkf-line tkf-top" }, this.trail, this.count, spring, this.age, this.tools),
      this.banner,
      this.note.element,
      this.bar.element,
      this.selection.element,
      this.panel.element,
      el("div", { class: "tkf-middle" }, this.grid.element, this.charts.element),
      this.bar.popover.element
    ];
  }
  // Keep the notebook's shortcuts and menus out of the view.
  keepKeys() {
    this.root.addEventListener("focusin", ({ target }) => {
      if (target instanceof Element) target.setAttribute("data-lm-suppress-shortcuts", "true");
    });
    this.root.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.bar.popover.close();
    });
    this.root.addEventListener("contextmenu", (event) => event.stopPropagation());
  }
  // ── messages ──
  followState() {
    this.kernel.onReply((reply) => this.takeReply(reply));
    this.kernel.follow("_head", (head) => this.drawHead(head));
    this.kernel.follow("_filter_bar", (bar) => this.drawFilters(bar));
    this.kernel.follow("_grid", (grid) => this.drawGrid(grid));
    this.kernel.follow("_selection", (selection) => {
      this.grid.updateSelection(selection);
      this.selection.updateSelection(selection);
    });
    this.kernel.follow("_facet", (facet) => this.bar.popover.updateFacet(facet));
    this.kernel.follow("_summaries", (summaries) => this.grid.updateSummaries(summaries));
    this.kernel.follow("_charts", (charts) => this.charts.update(charts));
    this.kernel.follow("_action_panel", (panel) => this.panel.update(panel));
  }
  /** @param {Reply} reply */
  takeReply(reply) {
    if ("chunk" in reply) this.grid.takeRows(reply);
    if ("code" in reply) copyText(reply.code).then(() => this.note.show("copied the code of this view"));
  }
  // ── drawing ──
  /** @param {Head} head */
  drawHead(head) {
    this.head = head;
    redraw(this.trail, () => this.trail.replaceChildren(...this.makeTrail(head)));
    const { rows, total, size, total_size: all } = head.count;
    this.count.textContent = `${formatCount(rows)} of ${formatCount(total)}${all ? ` · ${size || "0 B"} of ${all}` : ""}`;
    this.grid.limitHeight(total);
    this.banner.hidden = !head.banner;
    this.banner.textContent = head.banner;
    this.drawNote(head);
    redraw(this.tools, () => this.tools.replaceChildren(...this.makeTools(head)));
    this.bar.popover.adopt(this.tools);
    this.drawAge();
    this.selection.updateHead(head);
  }
  /** @param {Head} head */
  drawNote({ reading, note, is_error: isError }) {
    if (reading) this.note.show(`${capitalize(reading.what)} …`, { progress: reading });
    else if (note || !this.kernel.isSilent) this.note.show(note, { isError });
  }
  /** @param {Head} head */
  makeTrail({ trail, opened_by: openedBy }) {
    return trail.map((title, depth) => {
      const text = `${title}${openedBy[depth] ? ` ${openedBy[depth]}` : ""}`;
      if (depth === trail.length - 1) return el("strong", { class: "tkf-title", title: text }, text);
      const looks = { class: "tkf-link tkf-back", title: `back to ${text}`, "data-name": `back ${depth}` };
      return button(`${text} ›`, () => this.send({ do: "back", depth }), looks);
    });
  }
  /** @param {Head} head */
  makeTools({ reading, charts }) {
    const columns = (
      /** @type {const} */
      { name: "columns", label: "Columns", kind: "columns", text: "" }
    );
    return [
      button("⟳ Refresh", () => reading || this.send({ do: "refresh" }), {
        "data-name": "refresh",
        "aria-disabled": reading ? "true" : false,
        title: "read it anew from the service"
      }),
      this.bar.makeOpener(columns, "tkf-button"),
      button("Pictures", () => this.send({ do: "charts", on: !charts }), {
        "data-name": "pictures",
        "aria-pressed": String(charts)
      }),
      button("Copy code", () => this.send({ do: "code" }), {
        "data-name": "code",
        title: "the lines of Python that give the same rows and plan"
      })
    ];
  }
  /** @param {FilterBarState} bar */
  drawFilters(bar) {
    const isInvalid = bar.controls.some((control) => control.error);
    this.bar.update(bar);
    this.root.classList.toggle("tkf-invalid", isInvalid);
    this.selection.updateFilters(isInvalid);
  }
  drawAge() {
    this.age.textContent = this.head ? formatAge(this.head.age, Date.now()) : "";
  }
  /** @param {GridState} grid */
  drawGrid(grid) {
    this.bar.popover.updateColumns(grid.columns.map((column) => column.id));
    const reset = () => {
      this.bar.reset();
      this.grid.element.focus();
    };
    if (this.head?.count.total === 0) this.grid.empty.replaceChildren(describeEmpty(this.head.noun));
    else {
      const resetButton = button("Reset the filters", reset, { "data-name": "reset-empty" });
      this.grid.empty.replaceChildren("No row matches. ", resetButton);
    }
    this.grid.update(grid);
  }
};
var describeEmpty = (noun) => noun === "checkpoint" ? "There are no checkpoints here yet. Save one from a training run, then Refresh." : `There are no ${noun}s here yet. Start training with Tinker, then Refresh.`;
function hideStaticTable(id) {
  const tables = document.querySelectorAll("[data-tkf-static]");
  for (const table of tables) {
    const area = table.closest(".jp-OutputArea-child") ?? table;
    if (table.dataset.tkfStatic === id) area.style.display = "none";
  }
}
function render({ model, el: host }) {
  const view = new View(model, host);
  return () => view.remove();
}
var view_default = { render };
export {
  view_default as default
};
