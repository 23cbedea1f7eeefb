// Whether the page around a view is dark: what its notebook says, else its color scheme, else the browser's preference.

const PREFERS_DARK = "(prefers-color-scheme: dark)";
const WATCHED = { attributeFilter: ["class", "style", "data-jp-theme-light", "data-theme"] };

/**
 * Return what a page says of itself; null if nothing.
 *
 * @param {{ jpThemeLight?: string, classes: string, colorScheme: string }} page of JupyterLab, of VS Code, or of others
 */
export function readTheme({ jpThemeLight, classes, colorScheme }) {
  if (jpThemeLight) return jpThemeLight === "false";
  const kind = /\bvscode-(light|dark|high-contrast)(?![\w-])/.exec(classes)?.[1];
  if (kind) return kind !== "light";
  const [isLight, isDark] = ["light", "dark"].map((name) => colorScheme.split(" ").includes(name));
  return isLight === isDark ? null : isDark;
}

/** @param {HTMLElement} host the element that a view is in, maybe inside a shadow root, which selectors of the page do not reach */
function isDark(host) {
  const { dataset, className } = document.body;
  const { colorScheme } = getComputedStyle(host);
  const said = readTheme({ jpThemeLight: dataset.jpThemeLight, classes: className, colorScheme });
  return said ?? matchMedia(PREFERS_DARK).matches;
}

/**
 * Keep a class on a view that says whether the page is dark, and return how to stop.
 *
 * @param {HTMLElement} root of the view
 * @param {HTMLElement} host
 */
export function followTheme(root, host) {
  const draw = () => root.classList.toggle("tkf-dark", isDark(host));
  const preference = matchMedia(PREFERS_DARK);
  const observer = new MutationObserver(draw);
  for (const element of [document.documentElement, document.body]) observer.observe(element, WATCHED);
  preference.addEventListener("change", draw);
  draw();
  return () => {
    observer.disconnect();
    preference.removeEventListener("change", draw);
  };
}
