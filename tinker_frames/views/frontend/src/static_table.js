// The static table that a notebook keeps for where its view is not alive.

/** Hide the table that stands for a view where it is not alive. @param {string} id */
export function hideStaticTable(id) {
  /** @type {NodeListOf<HTMLElement>} */
  const tables = document.querySelectorAll("[data-tkf-static]");
  for (const table of tables) {
    /** @type {HTMLElement} */
    const area = table.closest(".jp-OutputArea-child") ?? table;
    if (table.dataset.tkfStatic === id) area.style.display = "none";
  }
}
