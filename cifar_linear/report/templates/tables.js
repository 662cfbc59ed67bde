// Sorts the rows of a table by a column.
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.key;
    const compare = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true });
    const number = (a, b) => Number(key(a)) - Number(key(b));
    const rows = [...table.tBodies[0].rows];
    const known = rows.filter((row) => key(row) !== "");
    const order = known.every((row) => !Number.isNaN(Number(key(row)))) ? number : compare;
    known.sort((a, b) => (up ? 1 : -1) * order(a, b));
    table.tBodies[0].append(...known, ...rows.filter((row) => key(row) === ""));
  }));
});
