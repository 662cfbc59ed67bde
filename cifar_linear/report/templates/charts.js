// Draws charts from the tables of their numbers and lets a reader explore them. Without it the pictures stay.
const DASHES = ["", "6 3", "2 2", "8 3 2 3", "11 4", "4 2 1.5 2 1.5 2"];
const HUES = 7;
const SIZE = { widest: 760, square: 400, height: 250, narrowest: 235, left: 44, shared: 8, right: 12, top: 24, bottom: 40, letter: 6.4, line: 14 };
const off = new Set();
const charts = [];

function make(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  node.append(...children);
  return node;
}

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function colour(series) {
  if (series.form === "reference") return "var(--dim)";
  const [towards, part] = series.shade > 0 ? ["white", "--lighter"] : ["black", "--darker"];
  return `color-mix(in srgb, var(--hue-${series.hue % HUES}), ${towards} calc(var(${part}) * ${Math.abs(series.shade)}))`;
}

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const written = (value) => String(Number(value.toPrecision(5)));
const unique = (values) => [...new Set(values)];
const dashes = (series) => (series.form === "reference" ? "" : DASHES[series.dash % DASHES.length]);

// Numbers of 1, 2 or 5 times a power of ten, as many as have room.
function ticks(low, high, most, logarithmic) {
  const found = [];
  if (logarithmic) {
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
      for (const digit of Math.log10(high / low) > most / 2 ? [1] : [1, 2, 5])
        found.push(digit * 10 ** power);
    return found.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  }
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => (high - low) / size <= most);
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) found.push(i * step);
  return found;
}

// Places near the given ones, in the same order, at least a gap apart.
function spread(places, gap) {
  const blocks = [];
  places.map((place, i) => [place, i]).sort((a, b) => a[0] - b[0]).forEach(([place, i]) => {
    let block = { middle: place, members: [i] };
    while (blocks.length && block.middle - blocks.at(-1).middle < (gap * (block.members.length + blocks.at(-1).members.length)) / 2) {
      const other = blocks.pop();
      const size = other.members.length + block.members.length;
      const middle = (other.middle * other.members.length + block.middle * block.members.length) / size;
      block = { middle, members: [...other.members, ...block.members] };
    }
    blocks.push(block);
  });
  const moved = [];
  blocks.forEach(({ middle, members }) => members.forEach((member, i) => {
    moved[member] = middle + gap * (i - (members.length - 1) / 2);
  }));
  return moved;
}

// The exponential moving average, free of the bias towards its start.
function smoothed(points, weight) {
  let sum = 0;
  let mass = 0;
  return points.map(([x, y, ...rest]) => {
    sum = weight * sum + (1 - weight) * y;
    mass = weight * mass + (1 - weight);
    return [x, sum / mass, ...rest];
  });
}

class Axis {
  constructor(values, ends, logarithmic, fromZero, room) {
    const usable = values.filter((value) => Number.isFinite(value) && (!logarithmic || value > 0));
    this.logarithmic = logarithmic;
    this.smallest = Math.min(...usable);
    let [low, high] = [this.smallest, Math.max(...usable)];
    if (logarithmic) {
      if (values.includes(0) && room === undefined) low /= 10;
      [low, high] = room === undefined ? [low, high] : [low / 1.1, high * 1.1];
    } else {
      const pad = room === undefined ? 0 : (high - low || Math.abs(high) || 1) * room;
      [low, high] = [fromZero ? Math.min(0, low) : low - pad, high + pad];
    }
    if (low === high) [low, high] = logarithmic ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    Object.assign(this, { low, high, ends });
  }

  place(value) {
    const [from, to] = this.ends;
    const f = this.logarithmic ? (v) => Math.log10(Math.max(v, this.low)) : (v) => v; // a count of 0 is at the foot
    return from + ((f(value) - f(this.low)) / (f(this.high) - f(this.low))) * (to - from);
  }
}

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
    bar.append(element("span", { className: "gap" }), log);
    if (smooth) {
      const range = element("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0 });
      range.addEventListener("input", () => { this.weight = Number(range.value); this.draw(); });
      bar.append(element("label", {}, "smoothing ", range));
    }
    const name = `${this.figure.dataset.name}.csv`;
    const link = element("a", { href: "#", download: name, textContent: "CSV", title: `save the numbers as ${name}` });
    link.addEventListener("click", () => { link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(this.csv())}`; });
    bar.append(link);
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

class Panel {
  constructor(chart, title, all, { width, left, right: beside, first, last }) {
    const own = all.filter((series) => series.panel === title);
    const scale = chart.series.find((series) => series.panel === title).scale;
    const peers = all.filter((series) => series.scale === scale);
    Object.assign(this, { chart, own, width });
    const lines = own.filter((series) => series.form === "line" && series.points.length);
    const right = width - beside;
    const points = peers.flatMap((series) => series.points);
    const steps = peers.some((series) => series.form === "steps");
    const xs = points.map((point) => point[0]);
    if (steps) xs.push(Math.max(...xs) + xs[1] - xs[0]);
    this.across = new Axis(xs, [left, right], chart.xLogarithmic, false);
    const ends = [SIZE.height - SIZE.bottom, SIZE.top];
    this.up = new Axis(points.flatMap((point) => point.slice(1)), ends, chart.logarithmic, chart.fromZero, 0.05);
    if (chart.limits && (chart.limits[0] > 0 || !chart.logarithmic)) [this.up.low, this.up.high] = chart.limits;
    this.svg = make("svg", { viewBox: `0 0 ${width} ${SIZE.height}`, tabindex: 0, role: "img" });
    this.svg.setAttribute("aria-label", `${[chart.y, title].filter(Boolean).join(", ")}: arrow keys read the values, which the table below holds as well`);
    this.frame(title, left, right, first);
    this.plot = make("svg", { x: left - 4, y: SIZE.top, width: right - left + 8, height: ends[0] - SIZE.top, viewBox: `${left - 4} ${SIZE.top} ${right - left + 8} ${ends[0] - SIZE.top}` });
    this.svg.append(this.plot);
    own.forEach((series) => this.line(series));
    if (last && beside > SIZE.right) this.label(lines, right);
    this.hair = make("g", { class: "hair" });
    this.svg.append(this.hair);
    this.readout = element("div", { className: "readout", hidden: true });
    this.node = element("div", { className: "panel" }, this.svg, this.readout);
    this.node.style.flexBasis = `${width}px`;
    this.listen();
  }

  text(x, y, words, anchor = "middle", more = {}) {
    this.svg.append(make("text", { x, y, "text-anchor": anchor, ...more }, words));
  }

  frame(title, left, right, first) {
    const bottom = SIZE.height - SIZE.bottom;
    for (const tick of ticks(this.up.low, this.up.high, 5, this.up.logarithmic)) {
      const y = this.up.place(tick);
      this.svg.append(make("path", { d: `M${left} ${y}H${right}`, class: "rule" }));
      if (first) this.text(left - 6, y + 4, written(tick), "end");
    }
    const across = this.across.logarithmic
      ? unique(this.own.flatMap((series) => series.points.map((point) => point[0])))
      : ticks(this.across.low, this.across.high, Math.max(2, (right - left) / 60), false);
    across.forEach((tick) => this.text(this.across.place(tick), bottom + 15, written(tick)));
    this.svg.append(make("path", { d: `M${left} ${bottom}H${right}`, class: "axis" }));
    const name = this.across.logarithmic ? `${this.chart.x}, logarithmic` : this.chart.x;
    this.text((left + right) / 2, SIZE.height - 6, name);
    const unit = first ? `${this.chart.y}${this.up.logarithmic ? ", logarithmic" : ""}` : "";
    this.text(first ? 0 : left, 12, [title, unit].filter(Boolean).join(": "), "start", { class: "title" });
  }

  path(series) {
    const at = ([x, y]) => `${this.across.place(x).toFixed(1)} ${this.up.place(y).toFixed(1)}`;
    if (series.form !== "steps") return `M${series.points.map(at).join("L")}`;
    const wide = series.points[1][0] - series.points[0][0];
    const floor = this.up.place(this.up.low);
    const steps = series.points.map(([x, y]) => `${at([x, y])}H${this.across.place(x + wide).toFixed(1)}`);
    return `M${this.across.place(series.points[0][0])} ${floor}L${steps.join("L")}V${floor}`;
  }

  line(series) {
    if (!series.points.length) return;
    const style = `stroke: ${colour(series)}; fill: ${series.form === "steps" ? colour(series) : "none"}`;
    this.plot.append(make("path", { d: this.path(series), style, class: series.form, "stroke-dasharray": dashes(series) }));
    if (series.form !== "marks" && series.points.length > 1) return;
    series.points.forEach(([x, y, low, high]) => {
      const [cx, cy] = [this.across.place(x), this.up.place(y)];
      if (low !== undefined) this.plot.append(make("path", { d: `M${cx} ${this.up.place(low)}V${this.up.place(high)}`, style, class: "interval" }));
      this.plot.append(make("circle", { cx, cy, r: 3, style: `fill: ${colour(series)}` }));
    });
  }

  label(lines, right) {
    const ends = spread(lines.map((series) => this.up.place(series.points.at(-1)[1])), SIZE.line);
    lines.forEach((series, i) => this.text(right + 6, ends[i] + 4, series.name, "start", { style: `fill: color-mix(in srgb, ${colour(series)}, var(--text) 40%)`, class: "name" }));
  }

  listen() {
    this.places = unique(this.own.filter((series) => series.form !== "reference").flatMap((series) => series.points.map((point) => point[0]))).sort((a, b) => a - b);
    const hide = () => this.chart.panels.forEach((panel) => panel.hide());
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * this.width;
      const far = this.places.map((place) => Math.abs(this.across.place(place) - x));
      this.read(far.indexOf(Math.min(...far)), false);
    });
    this.svg.addEventListener("pointerleave", hide);
    this.svg.addEventListener("blur", hide);
    this.svg.addEventListener("keydown", (event) => {
      const last = this.places.length - 1;
      const next = { ArrowRight: (this.at ?? -1) + 1, ArrowLeft: (this.at ?? last + 1) - 1, Home: 0, End: last }[event.key];
      if (event.key === "Escape") hide();
      if (next === undefined) return;
      event.preventDefault();
      this.read(Math.max(0, Math.min(last, next)), true);
    });
  }

  hide() {
    this.hair.replaceChildren();
    this.readout.hidden = true;
  }

  // Show what every line has at the i-th place; say it as well, if the keyboard asked.
  read(i, aloud) {
    this.at = i;
    const x = this.places[i];
    this.chart.panels.forEach((panel) => { panel.hide(); panel.mark(x); });
    const found = this.own.flatMap((series) => series.points.filter((point) => point[0] === x && series.form !== "reference").map((point) => ({ series, point })));
    found.sort((a, b) => b.point[1] - a.point[1]);
    const rows = found.map(({ series, point: [, y, low, high] }) => {
      const key = element("i");
      key.style.background = colour(series);
      return element("li", {}, key, `${series.name}: ${written(y)}${low === undefined ? "" : ` (${written(low)} to ${written(high)})`}`);
    });
    this.readout.replaceChildren(element("b", { textContent: `${this.chart.x} ${written(x)}` }), element("ul", {}, ...rows));
    this.readout.hidden = false;
    const place = (this.across.place(x) / this.width) * 100;
    Object.assign(this.readout.style, place > 50 ? { right: `${101 - place}%`, left: "auto" } : { left: `${place + 1}%`, right: "auto" });
    if (aloud) this.chart.status.textContent = this.readout.innerText;
  }

  mark(x) {
    const place = this.across.place(x);
    this.hair.append(make("path", { d: `M${place} ${SIZE.top}V${SIZE.height - SIZE.bottom}` }));
    this.own.forEach((series) => series.points.filter((point) => point[0] === x && series.form !== "reference").forEach((point) => {
      this.hair.append(make("circle", { cx: place, cy: this.up.place(point[1]), r: 3.5, style: `fill: ${colour(series)}` }));
    }));
  }
}

document.querySelectorAll("figure.chart").forEach((figure) => charts.push(new Chart(figure)));
const PAPER = 660;
addEventListener("beforeprint", () => {
  charts.forEach((chart) => chart.draw(PAPER));
  document.querySelectorAll("details.printed").forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => charts.forEach((chart) => chart.draw()));
