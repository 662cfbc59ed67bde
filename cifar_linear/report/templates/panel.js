// One panel of a chart: its axes, its lines, and the values that a reader asks for.
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
    const from = across.includes(0) ? ` from ${written(this.across.smallest)}` : "";
    const name = this.across.logarithmic ? `${this.chart.x}, logarithmic${from}` : this.chart.x;
    this.text((left + right) / 2, SIZE.height - 6, name);
    const unit = first ? `${this.chart.y}${this.up.logarithmic ? ", logarithmic" : ""}` : "";
    const heading = [title, unit].filter(Boolean).join(": ");
    const fits = heading.length * SIZE.letter < this.width;
    this.text(first ? 0 : left, 12, fits ? heading : heading.replace(/, logarithmic$/, ""), "start", { class: "title" });
  }

  path(series) {
    const at = ([x, y]) => `${this.across.place(x).toFixed(1)} ${this.up.place(y).toFixed(1)}`;
    if (series.form !== "steps") return `M${series.points.map(at).join("L")}`;
    const wide = series.points[1][0] - series.points[0][0];
    const floor = this.up.place(this.up.low);
    const steps = series.points.map(([x, y]) => `${at([x, y])}H${this.across.place(x + wide).toFixed(1)}`);
    return `M${this.across.place(series.points[0][0])} ${floor}L${steps.join("L")}V${floor}`;
  }

  // The area from the lowest to the highest value of each point.
  band(series) {
    const at = (i) => (point) => `${this.across.place(point[0]).toFixed(1)} ${this.up.place(point[i]).toFixed(1)}`;
    return `M${[...series.points.map(at(2)), ...series.points.map(at(3)).reverse()].join("L")}Z`;
  }

  line(series) {
    if (!series.points.length) return;
    const style = `stroke: ${colour(series)}; fill: ${series.form === "steps" ? colour(series) : "none"}`;
    if (series.form === "line" && series.points[0].length > 2) this.plot.append(make("path", { d: this.band(series), style: `fill: ${colour(series)}`, class: "band" }));
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
    let lowest = SIZE.height - SIZE.bottom - 4; // below are the numbers of the other axis
    ends.map((_, i) => i).sort((a, b) => ends[b] - ends[a]).forEach((i) => {
      ends[i] = Math.min(ends[i], lowest);
      lowest = ends[i] - SIZE.line;
    });
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
