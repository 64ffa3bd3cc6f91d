// The System tab: what runs, how far behind it is, how fast, how much it remembers, and its settings.

import { bytes, el, fill, plural } from "./dom.js";
import { get, send, told } from "./api.js";
import { settle } from "./notices.js";
import { byLabel, milliseconds, plot, samples, stages } from "./gauges.js";
import { scope, mine, streamName } from "./session.js";

const LOOK_EVERY = 4000; // ms
const KEPT = 900; // looks: an hour
const SAVED = "lookback.sizes";

const STAGES = {
  first_token: "Question to first word",
  answer: "Question to whole answer",
  search: "Search",
  remember: "Writing a moment",
  recognise_draft: "Recognising what is being said",
  recognise_live: "Recognising what was said",
  recognise_full: "Recognising a recording's speech",
  look: "Looking at a frame",
  look_and_read: "Looking at a frame and reading it",
  listen: "Listening to sounds",
  prepare: "Preparing an answer",
  speak: "Speaking a sentence",
};

export class SystemTab {
  constructor() {
    this.sizes = JSON.parse(sessionStorage.getItem(SAVED) || "[]");
    this.parts = el("ul", { class: "parts", "aria-label": "Deployments" });
    this.size = el("div", {});
    this.counts = el("dl", { class: "figures" });
    this.streams = el("div", {});
    this.stages = el("div", {});
    this.settings = el("div", { class: "table-frame" });
    this.node = el("div", { class: "system" },
      card("Parts", this.parts),
      card("Memory", this.size, this.counts),
      card("Streams under way", this.streams),
      card("How long things take", this.stages),
      el("section", { class: "card wide", "aria-labelledby": "settings-title" },
        el("h2", { id: "settings-title" }, "Settings in force"), this.settings));
  }

  /** Called when the tab comes to the front; it looks until `hidden`. */
  refresh() {
    clearTimeout(this.timer);
    this.drawSettings();
    this.look();
  }

  hidden() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  async look() {
    this.timer = setTimeout(() => this.look(), LOOK_EVERY);
    await Promise.all([this.drawParts(), this.drawFigures()]);
  }

  async drawParts() {
    let health;
    try {
      const response = await fetch("/healthz", { cache: "no-store" });
      health = await response.json();
    } catch {
      health = { deployments: {} };
    }
    const all = Object.entries({ gateway: Boolean(Object.keys(health.deployments).length), ...health.deployments });
    fill(this.parts, all.map(([name, up]) => el("li", { class: up ? "up" : "down" },
      el("i", { "aria-hidden": "true" }),
      el("span", { class: "part-name" }, name.replaceAll("_", " ")),
      el("span", { class: "quiet-text" }, up ? "answering" : "not answering"))));
  }

  async drawFigures() {
    try {
      const [text, stats] = await Promise.all([
        send("GET", "/metrics", { tries: 1 }).then((response) => response.text()),
        get("/v1/stats", { tries: 1 }),
      ]);
      settle("figures");
      const all = samples(text);
      this.drawMemory(stats);
      this.drawStreams(all);
      this.drawStages(all);
    } catch (failure) {
      told("figures", failure, { tone: "wait" });
    }
  }

  drawMemory(stats) {
    const total = stats.table_bytes + stats.media_bytes;
    this.sizes.push({ at: Date.now(), value: total });
    this.sizes = this.sizes.slice(-KEPT);
    sessionStorage.setItem(SAVED, JSON.stringify(this.sizes));
    fill(this.size,
      el("p", { class: "big-figure" }, bytes(total)),
      plot(this.sizes, { label: "Memory size", show: bytes }));
    fill(this.counts, [["streams", stats.streams], ["moments", stats.moments], ["observations", stats.observations],
      ["pictures", stats.keyframes], ["in tables", bytes(stats.table_bytes)], ["in pictures", bytes(stats.media_bytes)]]
      .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  drawStreams(all) {
    const lags = byLabel(all, "lookback_perception_lag_seconds", "stream");
    const drops = byLabel(all, "lookback_dropped_frames", "stream");
    const shown = Object.keys(lags).filter((id) => scope.everything || mine(id));
    const others = Object.keys(lags).length - shown.length;
    fill(this.streams,
      shown.length ? table(["Stream", "Behind", "Frames skipped"],
        shown.map((id) => [streamName(id), `${lags[id].toFixed(1)} s`, drops[id] ?? 0])) : null,
      !shown.length && !others && el("p", { class: "quiet-text" }, "Nothing is being watched right now."),
      others > 0 && el("p", { class: "quiet-text" }, `${plural(others, "stream")} of other browsers.`),
      this.failures(all));
  }

  failures(all) {
    const failed = all.find((one) => one.name === "lookback_failed_answers_total")?.value || 0;
    const waiting = all.filter((one) => one.name === "lookback_queue_depth" && one.labels.queue === "replays").reduce((sum, one) => sum + one.value, 0);
    const said = [];
    if (waiting) said.push(`${plural(waiting, "recording")} waiting`);
    if (failed) said.push(`${plural(failed, "answer")} failed since the start`);
    return said.length ? el("p", { class: "quiet-text" }, `${said.join(", ")}.`) : null;
  }

  drawStages(all) {
    const found = stages(all, "lookback_stage_seconds", "stage");
    const longest = Math.max(...found.map((one) => one.p95), 0.001);
    fill(this.stages, found.length
      ? table(["Stage", "Half within", "95 % within", "Times"], found.map((one) => [
        STAGES[one.stage] || one.stage.replaceAll("_", " "),
        milliseconds(one.p50),
        el("span", { class: "bar-cell" }, bar(one.p95 / longest), milliseconds(one.p95)),
        one.count,
      ]))
      : el("p", { class: "quiet-text" }, "Ask something, and how long it took will stand here."));
  }

  async drawSettings() {
    try {
      const { settings } = await get("/v1/settings");
      const changed = settings.filter((one) => one.changed);
      fill(this.settings, changed.length ? listed(changed) : el("p", { class: "quiet-text" }, "All are as they come."),
        el("details", { class: "all-settings", open: this.unfolded, ontoggle: ({ target }) => { this.unfolded = target.open; } },
          el("summary", {}, `All ${settings.length} settings`), listed(settings)));
    } catch (failure) {
      told("figures", failure, { tone: "wait" });
    }
  }
}

function listed(settings) {
  return table(["Setting", "Value", "What it does"], settings.map((one) => [
    el("code", {}, one.name),
    el("span", { class: "setting-value" }, written(one.value)),
    one.description,
  ]));
}

function written(value) {
  if (value === null || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? JSON.stringify(value) : value;
}

function card(title, ...content) {
  const id = `card-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, title), content);
}

function table(heads, rows) {
  return el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, index) =>
      (index ? el("td", {}, cell) : el("th", { scope: "row" }, cell)))))));
}

function bar(share) {
  const node = el("span", { class: "bar", "aria-hidden": "true" });
  node.style.width = `${Math.max(2, share * 64).toFixed(0)}px`;
  return node;
}
