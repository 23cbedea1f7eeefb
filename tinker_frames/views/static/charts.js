// What is drawn of the rows that match: bars of storage, columns over time; a click filters. Plain SVG, no library.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, props = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

class Pictures {
  constructor(send) {
    this.send = send;
    this.element = el("div", { class: "tkf-pictures", role: "group", "aria-label": "pictures of the rows that match" });
  }

  update(pictures) {
    this.element.hidden = !pictures?.length;
    redrawn(this.element, () => this.element.replaceChildren(...(pictures ?? []).map((picture) =>
      el("figure", { class: "tkf-picture" }, el("figcaption", {}, picture.title), picture.bars.length ? this[picture.kind](picture) : el("div", { class: "tkf-muted" }, "nothing")))));
  }

  pick(picks) {
    for (const [name, value] of Object.entries(picks)) this.send({ do: "filter", name, value });
  }

  bars(picture) {
    // The others together often are far more than the largest; they are as long as the picture is wide, at most.
    const most = Math.max(...picture.bars.filter((bar) => bar.picks).map((bar) => bar.value)) || 1;
    return el("div", { class: "tkf-bars" }, ...picture.bars.map((bar) =>
      el("button", { type: "button", class: "tkf-bar-row", disabled: !bar.picks, title: `${bar.label}: ${bar.said}`, "data-name": `${picture.title} ${bar.label}`, on: { click: () => this.pick(bar.picks) } },
        el("span", { class: `tkf-bar-fill${bar.picks ? "" : " tkf-rest"}`, style: { width: `${Math.min(100, Math.max(1, (100 * bar.value) / most))}%` } }), el("span", { class: "tkf-bar-label" }, bar.label), el("span", { class: "tkf-bar-said" }, bar.said))));
  }

  columns(picture) {
    const most = Math.max(...picture.bars.map((bar) => bar.value)) || 1;
    const width = 100 / Math.max(12, picture.bars.length);
    const drawn = picture.bars.map((bar, place) => {
      const height = bar.value ? Math.max(2, (88 * bar.value) / most) : 0;
      const hit = svg("rect", { class: "tkf-column", x: place * width, y: 0, width, height: 90, tabindex: 0, role: "button", "aria-label": `${bar.label}: ${bar.said}`, "data-name": `${picture.title} ${bar.label}` }, svg("title", {}));
      hit.firstChild.textContent = `${bar.label}: ${bar.said}`;
      hit.addEventListener("click", () => this.pick(bar.picks));
      hit.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), this.pick(bar.picks)));
      return svg("g", {}, svg("rect", { class: "tkf-column-fill", x: place * width + width * 0.08, y: 90 - height, width: width * 0.84, height }), hit);
    });
    const ends = [picture.bars[0].label.split(" to ")[0], picture.bars.at(-1).label.split(" to ").at(-1)];
    return el("div", { class: "tkf-columns" }, svg("svg", { viewBox: "0 0 100 90", preserveAspectRatio: "none", role: "group" }, ...drawn), el("div", { class: "tkf-axis" }, ...ends.map((text) => el("span", {}, text))));
  }
}
