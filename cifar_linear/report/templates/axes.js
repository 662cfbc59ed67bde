// What charts are made of: elements, colours, ticks and axes.
const DASHES = ["", "6 3", "2 2", "8 3 2 3", "11 4", "4 2 1.5 2 1.5 2"];
const HUES = 7;
const SIZE = { widest: 760, square: 400, height: 250, narrowest: 235, left: 44, shared: 22, right: 12, top: 24, bottom: 40, letter: 6.4, line: 14 };

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
