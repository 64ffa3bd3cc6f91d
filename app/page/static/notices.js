// What went wrong, in one sentence, and that it is over. One notice for each thing that can go wrong.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const AWAY_AFTER = 6000; // ms a notice that needs nothing of the reader stays
const shown = new Map();
let place = null;

export function noticePlace() {
  place = el("div", { class: "notices", role: "status", "aria-live": "polite" });
  return place;
}

/** `tone`: wait (being recovered from), wrong (needs the reader), good. An `action` is {text, run}. */
export function notice(key, text, { tone = "wrong", action = null, stays = tone !== "good" } = {}) {
  const had = shown.get(key);
  if (had && had.text === text && had.tone === tone) return;
  settle(key);
  const node = el("div", { class: `notice ${tone}` },
    tone === "wait" && el("span", { class: "spinner", "aria-hidden": "true" }),
    el("span", { class: "notice-text" }, text),
    action && el("button", { class: "small", type: "button", onclick: () => { settle(key); action.run(); } },
      action.text),
    el("button", { class: "bare", type: "button", "aria-label": "Dismiss", onclick: () => settle(key) },
      icon("close")));
  const entry = { text, tone, node, timer: null };
  if (!stays) entry.timer = setTimeout(() => settle(key), AWAY_AFTER);
  shown.set(key, entry);
  place?.append(node);
}

/** It is over; `text` says so for a moment if it had been shown. */
export function settle(key, text = null) {
  const had = shown.get(key);
  if (!had) return;
  clearTimeout(had.timer);
  had.node.remove();
  shown.delete(key);
  if (text) notice(key, text, { tone: "good" });
}
