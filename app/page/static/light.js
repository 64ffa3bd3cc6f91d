// The recording light: in the header, around the picture, and in the window's title. It cannot be hidden.

import { clock, el, fill } from "./dom.js";

const TITLE = "Lookback";
const time = el("span", { class: "light-time", "aria-hidden": "true" });
const word = el("span", {});
const node = el("div", { class: "light", role: "status", hidden: true },
  el("i", { "aria-hidden": "true" }), word, time);
let since = null;
let timer = null;

export const recordingLight = () => node;

let lock = null;

/** A phone that watches must not fall asleep; one that may not stay awake watches until it does. */
async function stayAwake() {
  if (!timer || lock || document.hidden || !navigator.wakeLock) return;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => { lock = null; });
    if (!timer) lock.release();
  } catch {
    lock = null;
  }
}

document.addEventListener("visibilitychange", stayAwake);

/** `sensing`: something is being recorded; `live`: a session is open, perhaps with everything off. */
export function light(sensing, live) {
  const root = document.querySelector("#lookback");
  root.classList.toggle("recording", sensing);
  node.hidden = !live;
  node.classList.toggle("paused", !sensing);
  fill(word, sensing ? "Recording" : "Paused: all off");
  document.title = live ? `${sensing ? "● Recording" : "Paused"} – ${TITLE}` : TITLE;
  if (!live) {
    clearInterval(timer);
    since = timer = null;
    time.textContent = "";
    lock?.release();
  } else if (!timer) {
    since = Date.now();
    const tick = () => { time.textContent = clock((Date.now() - since) / 1000); };
    tick();
    timer = setInterval(tick, 1000);
    stayAwake();
  }
}
