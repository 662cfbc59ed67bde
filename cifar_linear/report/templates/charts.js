// Draws charts from the tables of their numbers and lets a reader explore them. Without it the pictures stay.
const off = new Set();
const charts = [];
const PAPER = 660;

class Chart {
  constructor(figure) {
    const { x, y, low, high, logarithmic, xLogarithmic, smooth, fromZero } = figure.dataset;
    Object.assign(this, { figure, x, y, fromZero: fromZero !== undefined, xLogarithmic: xLogarithmic !== undefined });
    this.logarithmic = logarithmic !== undefined;
    this.limits = low === undefined ? undefined : [Number(low), Number(high)];
    this.weight = 0;
    this.table = figure.querySelector(".numbers table");
    this.series = [...this.table.tBodies].map((body) => ({
      ...body.dataset,
      points: [...body.rows].slice(1).map((row) => [...row.cells].map((cell) => Number(cell.textContent))),
    }));
    this.names = unique(this.series.filter((series) => series.form !== "reference").map((series) => series.name));
    this.holder = element("div", { className: "panels" });
    this.status = element("p", { className: "unseen" });
    this.status.setAttribute("role", "status");
    const picture = figure.querySelector(".picture");
    picture.before(this.tools(smooth !== undefined), this.holder, this.status);
    picture.classList.add("replaced");
    this.draw();
    new ResizeObserver(() => this.holder.clientWidth && this.holder.clientWidth !== this.width && this.draw()).observe(this.holder);
  }

  tools(smooth) {
    const bar = element("div", { className: "tools" });
    if (this.names.length > 1) bar.append(...this.names.map((name) => this.toggle(name)));
    const log = element("button", { type: "button", textContent: "logarithmic" });
    log.setAttribute("aria-pressed", this.logarithmic);
    log.addEventListener("click", () => {
      this.logarithmic = !this.logarithmic;
      log.setAttribute("aria-pressed", this.logarithmic);
      this.draw();
    });
    const actions = element("span", { className: "actions" });
    if (!this.y.endsWith("%") || this.logarithmic) actions.append(log);
    if (smooth) {
      const range = element("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0 });
      range.addEventListener("input", () => { this.weight = Number(range.value); this.draw(); });
      actions.append(element("label", {}, "smoothing ", range));
    }
    const name = `${this.figure.dataset.name}.csv`;
    const link = element("a", { href: "#", download: name, textContent: "CSV", title: `save the numbers as ${name}` });
    link.addEventListener("click", () => { link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(this.csv())}`; });
    actions.append(link);
    bar.append(element("span", { className: "gap" }), actions);
    return bar;
  }

  toggle(name) {
    const series = this.series.find((one) => one.name === name);
    const sample = make("svg", { viewBox: "0 0 24 8", width: 24, height: 8, "aria-hidden": true },
      make("path", { d: "M0 4H24", style: `stroke: ${colour(series)}`, "stroke-width": 2, "stroke-dasharray": dashes(series) }));
    const button = element("button", { type: "button", className: "run" }, sample, name);
    button.dataset.run = name;
    button.setAttribute("aria-pressed", true);
    button.addEventListener("click", () => {
      if (!off.delete(name)) off.add(name);
      document.querySelectorAll("button.run").forEach((other) => other.setAttribute("aria-pressed", !off.has(other.dataset.run)));
      charts.filter((chart) => chart.names.includes(name)).forEach((chart) => chart.draw());
    });
    return button;
  }

  csv() {
    const heads = [...this.table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const rows = this.series.flatMap((series) => series.points.map((point) => [series.panel, series.name, ...point]));
    return [["panel", "line", ...heads], ...rows].map((row) => row.map((cell) => quoted(String(cell))).join(",")).join("\n") + "\n";
  }

  shown() {
    const seen = this.series.filter((series) => !off.has(series.name));
    return (seen.length ? seen : this.series).map((series) => (
      this.weight && series.form === "line" ? { ...series, points: smoothed(series.points, this.weight) } : series
    ));
  }

  // The room right of the last panel, for names at the ends of lines where they fit.
  labels(series, width) {
    const lines = series.filter((one) => one.form === "line");
    const longest = Math.max(0, ...lines.map((one) => one.name.length)) * SIZE.letter;
    const crowded = unique(lines.map((one) => one.name)).length * SIZE.line > SIZE.height - SIZE.top;
    return this.names.length < 2 || !lines.length || crowded || longest > width / 3 ? SIZE.right : longest + 10;
  }

  draw(room = this.holder.clientWidth) {
    this.width = room;
    const series = this.shown();
    this.panels = unique(this.series.map((one) => one.scale)).flatMap((scale) => (
      this.rows(unique(this.series.filter((one) => one.scale === scale).map((one) => one.panel)), series, room)
    ));
    this.holder.replaceChildren(...this.panels.map((panel) => panel.node));
  }

  // Panels that share their axes, in rows without holes.
  rows(titles, series, room) {
    const widest = this.series.every((one) => one.form === "line" || one.form === "steps") ? SIZE.widest : SIZE.square;
    const width = Math.min(room, titles.length * widest);
    const most = Math.max(1, Math.min(4, Math.floor(width / SIZE.narrowest)));
    const rows = Math.ceil(titles.length / most);
    const across = Math.ceil(titles.length / rows);
    const names = this.labels(series, width / across);
    return titles.map((title, i) => {
      const column = i % across;
      const here = Math.min(across, titles.length - (i - column));
      const [first, last] = [column === 0, column === here - 1];
      const plot = (width - SIZE.left - names - (here - 1) * (SIZE.shared + SIZE.right)) / here;
      const [left, right] = [first ? SIZE.left : SIZE.shared, last ? names : SIZE.right];
      return new Panel(this, title, series, { width: Math.floor(left + plot + right), left, right, first, last });
    });
  }
}

document.querySelectorAll("figure.chart").forEach((figure) => charts.push(new Chart(figure)));
addEventListener("beforeprint", () => {
  charts.forEach((chart) => chart.draw(PAPER));
  document.querySelectorAll("details.printed").forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => charts.forEach((chart) => chart.draw()));
