// The server's own figures: Prometheus text read, quantiles of its histograms, small plots.

import { el } from "./dom.js";

/** [{name, labels, value}] of an exposition. */
export function samples(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const match = line.match(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)/);
    if (!match) continue;
    const labels = Object.fromEntries([...(match[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, name, value]) => [name, value.replaceAll(/\\(.)/g, (_, one) => (one === "n" ? "\n" : one))]));
    found.push({ name: match[1], labels, value: Number(match[3].replace("Inf", "Infinity")) });
  }
  return found;
}

/** {label value: value} of one metric. */
export function byLabel(all, name, label) {
  return Object.fromEntries(all.filter((one) => one.name === name).map((one) => [one.labels[label] ?? "", one.value]));
}

/** [{stage, count, mean, p50, p95}] of a histogram, in seconds. */
export function stages(all, name, label) {
  const kinds = [...new Set(all.filter((one) => one.name === `${name}_count`).map((one) => one.labels[label]))];
  return kinds.map((kind) => {
    const of = (part) => all.filter((one) => one.name === `${name}_${part}` && one.labels[label] === kind);
    const buckets = of("bucket").map((one) => ({ le: Number(one.labels.le.replace("+Inf", "Infinity")), n: one.value }))
      .sort((a, b) => a.le - b.le);
    const count = of("count")[0]?.value || 0;
    return {
      stage: kind,
      count,
      mean: count ? of("sum")[0].value / count : 0,
      p50: quantile(buckets, 0.5),
      p95: quantile(buckets, 0.95),
    };
  }).filter((one) => one.count > 0);
}

/** Linear within a bucket, as Prometheus does it. */
function quantile(buckets, share) {
  const rank = (buckets.at(-1)?.n || 0) * share;
  let before = { le: 0, n: 0 };
  for (const bucket of buckets) {
    if (bucket.n >= rank && bucket.n > before.n) {
      if (!isFinite(bucket.le)) return before.le;
      return before.le + (bucket.le - before.le) * ((rank - before.n) / (bucket.n - before.n));
    }
    before = bucket;
  }
  return 0;
}

export function milliseconds(seconds) {
  return seconds >= 1 ? `${seconds.toFixed(1)}\u00a0s` : `${Math.round(seconds * 1000)}\u00a0ms`;
}

const WIDE = 320;
const HIGH = 72;

/** A line of [{at, value}] from zero up, over its own span; its figures are told in `label`. */
export function plot(points, { label, show }) {
  if (points.length < 2) return el("p", { class: "quiet-text plot-wait" }, "The line begins with the next look.");
  const values = points.map((one) => one.value);
  const high = Math.max(...values);
  const [from, to] = [points[0].at, points.at(-1).at];
  const x = (at) => ((at - from) / (to - from || 1)) * (WIDE - 4) + 2;
  const y = (value) => HIGH - 4 - (value / (high || 1)) * (HIGH - 12);
  const line = points.map((one) => `${x(one.at).toFixed(1)},${y(one.value).toFixed(1)}`).join(" ");
  const last = points.at(-1);
  return el("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${label}: ${show(points[0].value)} at first, ${show(last.value)} now, at most ${show(high)}` },
  el("path", { class: "plot-area", d: `M${x(from)},${HIGH} L${line.replaceAll(" ", " L")} L${x(to)},${HIGH} Z` }),
  el("polyline", { class: "plot-line", points: line, "vector-effect": "non-scaling-stroke" }));
}
