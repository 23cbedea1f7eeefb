// The front end of the widget host. `toPython` is bound by widget_host.py, which calls the functions of `window.host`.
(() => {
  const models = new Map();
  const styled = new Set();
  const mounted = {}; // the result of each mount: "ready" or an error
  const text = (value) => JSON.stringify(value);
  const tell = (id, data) => window.toPython(text({ id, data }));

  // The `model` passed to a module, with the events of Backbone, which anywidget builds on.
  class Model {
    constructor(id, state) {
      Object.assign(this, { id, state, unsaved: {}, handlers: [], endings: [], widget: undefined });
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      this.assign(typeof name === "object" ? name : { [name]: value }, this.unsaved);
    }
    save_changes() {
      const state = this.unsaved;
      this.unsaved = {};
      if (Object.keys(state).length) tell(this.id, { method: "update", state, buffer_paths: [] });
    }
    send(content, callbacks, buffers) {
      if (buffers?.length) throw new Error("only JSON is supported, no buffers");
      tell(this.id, { method: "custom", content });
    }
    on(names, callback) {
      for (const name of names.split(/\s+/)) this.handlers.push({ name, callback });
    }
    off(names, callback) {
      const wanted = names?.split(/\s+/);
      const stays = (kept) => (wanted && !wanted.includes(kept.name)) || (callback && kept.callback !== callback);
      this.handlers = this.handlers.filter(stays);
    }
    emit(name, ...given) {
      for (const handler of [...this.handlers]) if (handler.name === name) handler.callback(...given);
    }
    // All values are set before the first handler runs; an equal value is not a change.
    assign(given, unsaved = {}) {
      const changed = Object.keys(given).filter((name) => text(given[name]) !== text(this.state[name]));
      for (const name of changed) this.state[name] = unsaved[name] = given[name];
      for (const name of changed) this.emit(`change:${name}`, this, this.state[name], {});
      if (changed.length) this.emit("change", this, {});
    }
    receive(data) {
      if (data.method === "update") this.assign(data.state);
      else if (data.method === "custom") this.emit("msg:custom", data.content, []);
      else if (data.method === "close") this.close();
    }
    close() {
      models.delete(this.id);
      for (const end of this.endings.splice(0).reverse()) end();
    }
    // The methods of anywidget's model, and nothing else.
    get proxy() {
      const names = ["get", "set", "save_changes", "send", "on", "off"];
      return Object.fromEntries(names.map((name) => [name, this[name].bind(this)]));
    }
  }

  const imported = async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const given = (await import(url)).default;
    URL.revokeObjectURL(url);
    return typeof given === "function" ? given() : given;
  };

  const dress = (css) => {
    if (!css || styled.has(css)) return;
    styled.add(css);
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  };

  // Run one hook of a module; when the model closes, abort its signal and call its cleanup function.
  const run = async (hook, model, given) => {
    const controller = new AbortController();
    const clean = await hook?.({ model: model.proxy, signal: controller.signal, ...given });
    model.endings.push(() => {
      controller.abort();
      if (typeof clean === "function") clean();
      given.el?.remove();
    });
  };

  const opened = async (id, state) => {
    const model = new Model(id, state);
    models.set(id, model); // before the first await, since messages may arrive immediately
    model.widget = await imported(state._esm);
    await run(model.widget.initialize, model, {});
    return model;
  };

  // In the shadow of an element of its own, as in marimo.
  const enclosed = (el, tag) => {
    const outer = document.createElement(tag);
    const styles = [...document.head.querySelectorAll("style")].map((style) => style.cloneNode(true));
    outer.attachShadow({ mode: "open" }).append(...styles, el);
    return outer;
  };

  const shown = async ({ id, state }, place) => {
    dress(state._css);
    const model = models.get(id) ?? (await opened(id, state));
    const el = Object.assign(document.createElement("div"), { id: place });
    document.querySelector("main").append(window.host.within ? enclosed(el, window.host.within) : el);
    await run(model.widget.render, model, { el });
  };

  // Not awaited: a module may send a request to Python while it renders.
  const mount = (given, place) => {
    shown(JSON.parse(given), place).then(
      () => (mounted[place] = "ready"),
      (error) => (mounted[place] = String(error?.stack ?? error)),
    );
  };

  const receive = (messages) => {
    for (const { id, data } of messages.map((message) => JSON.parse(message))) {
      try {
        models.get(id)?.receive(data);
      } catch (error) {
        console.error(error?.stack ?? error); // a handler that throws loses this message only
      }
    }
  };

  window.host = { mount, mounted, receive, within: "" }; // `within` is a tag name
})();
