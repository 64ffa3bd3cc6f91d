// Elements from plain values. Text only ever becomes text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "path", "circle", "rect", "polyline", "line", "g", "title"]);
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "muted", "srcObject", "tabIndex"]);

/** el("button", { class: "quiet", onclick: f }, "Close"): false and null are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

export function append(node, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** 75.4 → 1:15, an hour and more → 1:01:15. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds as a person would say them: 8 s, 3 min, 1 h 20 min. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !isFinite(seconds)) return "";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  const minutes = Math.round((s % 3600) / 60);
  return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
}

export function bytes(count) {
  if (!isFinite(count)) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size < 10 && unit ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** A stream's second as the reader's own time of day. */
export function wallClock(wallStart, seconds, withDay = false) {
  const time = new Date(new Date(wallStart).getTime() + (seconds || 0) * 1000);
  if (isNaN(time)) return "";
  const options = { hour: "2-digit", minute: "2-digit" };
  if (withDay) Object.assign(options, { weekday: "short", day: "numeric", month: "short" });
  return time.toLocaleString(undefined, options);
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** Keeps a scrolled list at its end, unless the reader has scrolled away from it. */
export function followEnd(list, change) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 48;
  change();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** Puts an item that happened at `start` in its place in a list ordered by time. */
export function insertByTime(list, item, start) {
  item.dataset.start = start;
  let before = list.lastElementChild;
  while (before && Number(before.dataset.start) > start) before = before.previousElementSibling;
  if (before) before.after(item);
  else list.prepend(item);
}

export function store(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(`lookback.${name}`);
    if (value === null) localStorage.removeItem(`lookback.${name}`);
    else localStorage.setItem(`lookback.${name}`, value);
  } catch {
    // A browser that keeps nothing still shows the page; it only forgets between visits.
  }
  return null;
}
