// Lets a reader sort, filter, page through and copy tables. Without it they are there as a whole.
const PAGE = 25;

class Table {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.rows = [...this.body.rows];
    this.first = 0;
    this.heads = [...table.tHead.rows[0].cells];
    this.heads.forEach((head, column) => {
      const button = element("button", { type: "button", textContent: head.textContent });
      button.addEventListener("click", () => this.sort(head, column));
      head.replaceChildren(button);
    });
    table.closest(".wide").before(this.tools());
    this.show();
  }

  tools() {
    this.filter = element("input", { type: "search", placeholder: this.example() });
    this.filter.addEventListener("input", () => { this.first = 0; this.show(); });
    this.count = element("span", { className: "dim" });
    this.count.setAttribute("role", "status");
    const turn = (text, by) => {
      const button = element("button", { type: "button", textContent: text });
      button.addEventListener("click", () => { this.first += by * PAGE; this.show(); });
      return button;
    };
    [this.back, this.on] = [turn("previous", -1), turn("next", 1)];
    const copy = element("button", { type: "button", textContent: "copy as CSV" });
    copy.addEventListener("click", () => this.copy(copy));
    const label = element("label", {}, "filter ", this.filter);
    const bar = element("div", { className: "tools" }, this.back, this.on, this.count, element("span", { className: "gap" }), copy);
    if (this.rows.length > 4) bar.prepend(label);
    return bar;
  }

  // What a reader may write into the filter: words, and where there are numbers a comparison with one of them.
  example() {
    const numbers = [...this.rows[0].cells].slice(1).map((cell) => parseFloat(cell.textContent)).filter(Number.isFinite);
    return numbers.length ? `words or > ${Math.floor(numbers[0])}` : "words";
  }

  // A row stays if its words hold every word, and some column of numbers fulfils every comparison.
  matches(row) {
    const cells = [...row.cells].map((cell) => cell.textContent.toLowerCase());
    const numbers = cells.slice(1).map((text) => parseFloat(text));
    const words = cells.filter((text, i) => i === 0 || Number.isNaN(numbers[i - 1]));
    const comparisons = { ">": (a, b) => a > b, "<": (a, b) => a < b };
    const found = this.filter.value.toLowerCase().match(/[<>]\s*-?[\d.]+|[^\s]+/g) ?? [];
    return found.every((word) => {
      const compare = comparisons[word[0]];
      return compare ? numbers.some((number) => compare(number, parseFloat(word.slice(1)))) : words.some((text) => text.includes(word));
    });
  }

  show() {
    const left = this.rows.filter((row) => this.matches(row));
    this.first = Math.max(0, Math.min(this.first, PAGE * Math.floor((left.length - 1) / PAGE)));
    const page = new Set(left.slice(this.first, this.first + PAGE));
    const chosen = new Set(left);
    this.rows.forEach((row) => {
      row.hidden = !chosen.has(row);
      row.classList.toggle("elsewhere", !page.has(row));
    });
    const paged = left.length > PAGE;
    const last = Math.min(this.first + PAGE, left.length);
    this.count.textContent = paged ? `${this.first + 1} to ${last} of ${left.length}` : left.length < this.rows.length ? `${left.length} of ${this.rows.length}` : "";
    [this.back.hidden, this.on.hidden] = [!paged, !paged];
    [this.back.disabled, this.on.disabled] = [this.first === 0, last === left.length];
  }

  sort(head, column) {
    const up = head.getAttribute("aria-sort") !== "ascending";
    this.heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent;
    const known = this.rows.filter((row) => !["", "-"].includes(key(row)));
    const number = (row) => parseFloat(key(row));
    const numeric = column > 0 && known.every((row) => !Number.isNaN(number(row)));
    const order = numeric ? (a, b) => number(a) - number(b) : (a, b) => key(a).localeCompare(key(b), "en", { numeric: true });
    known.sort((a, b) => (up ? 1 : -1) * order(a, b));
    this.rows = [...known, ...this.rows.filter((row) => ["", "-"].includes(key(row)))];
    this.body.append(...this.rows);
    this.first = 0;
    this.show();
  }

  csv() {
    const line = (cells) => cells.map((cell) => quoted(cell.dataset.key || cell.textContent)).join(",");
    return [this.heads, ...this.rows.filter((row) => !row.hidden).map((row) => [...row.cells])].map(line).join("\n") + "\n";
  }

  async copy(button) {
    try {
      await navigator.clipboard.writeText(this.csv());
      button.textContent = "copied";
    } catch {
      button.textContent = "not allowed here";
    }
    setTimeout(() => { button.textContent = "copy as CSV"; }, 2000);
  }
}

document.querySelectorAll("table.sortable").forEach((table) => new Table(table));
