// Who this browser is, which streams are its own, and the token that the server may want.

import { clock, el, fill, plural, store } from "./dom.js";
import { failureOf, sentence, server } from "./api.js";

const FIRST = ["amber", "brisk", "calm", "clever", "gentle", "golden", "happy", "kind", "lively",
  "mellow", "quiet", "rosy", "silver", "sunny", "tidy", "witty"];
const SECOND = ["badger", "crane", "dove", "finch", "fox", "hare", "heron", "lark", "lynx",
  "marten", "otter", "owl", "robin", "seal", "swift", "wren"];

function newName() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const tail = [...bytes.slice(2)].map((byte) => (byte % 36).toString(36)).join("");
  return `${FIRST[bytes[0] % 16]}-${SECOND[bytes[1] % 16]}-${tail}`;
}

/** This browser's name; its streams begin with it, so that two people do not mix. */
export const browser = store("browser") || newName();
store("browser", browser);

export const scope = new EventTarget();
scope.everything = store("scope") === "everything";
scope.choose = (everything) => {
  scope.everything = everything;
  store("scope", everything ? "everything" : "mine");
  scope.dispatchEvent(new Event("change"));
};

export const mine = (streamId) => streamId.startsWith(`${browser}.`);

/** The streams the page shows, newest first. */
export function inScope(streams) {
  const chosen = scope.everything ? streams : streams.filter((one) => mine(one.stream_id));
  return [...chosen].reverse();
}

/** Says how many streams are not shown, and shows them. `many` of them came from elsewhere. */
export function offerOthers(many) {
  return el("p", { class: "others" }, `${plural(many, "stream")} came from elsewhere: other browsers, programs, the command line. `,
    el("button", { class: "small", type: "button", onclick: () => scope.choose(true) }, "Show everyone’s"));
}

const LIVE = /^(?:(.+)\.)?live-(\d{4})-(\d\d)-(\d\d)-(\d\d)(\d\d)(\d\d)?/;
const LONG = 6 * 3600; // seconds of a stream after which a time of day says more than its clock

/** When a live stream that a page began did so; null for any other. */
function began(own) {
  const found = own.match(LIVE);
  if (!found) return null;
  const [year, month, day, hour, minute, second = 0] = found.slice(2).map((part) => part && Number(part));
  return new Date(year, month - 1, day, hour, minute, second);
}

const own = (streamId) => (mine(streamId) ? streamId.slice(browser.length + 1) : streamId);

/** A second of a stream as it is written: 1:15, or the time of day once it has gone on for long. */
export function timeOf(streamId, seconds) {
  const beginning = seconds >= LONG ? began(own(streamId)) : null;
  if (!beginning) return clock(seconds);
  return new Date(beginning.getTime() + seconds * 1000)
    .toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
}

/** What a person calls a stream: our own name for this browser says nothing to them. */
export function streamName(streamId) {
  const name = own(streamId);
  const time = began(name);
  if (!time) return name.replace(/-[0-9a-z]+$/, (tail) => (mine(streamId) ? "" : tail)) || name;
  const when = time.toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
  const [, whose] = name.match(LIVE);
  return whose ? `${whose}, live ${when}` : `Live, ${when}`;
}

export function newLiveId() {
  const now = new Date();
  const two = (n) => String(n).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const time = two(now.getHours()) + two(now.getMinutes()) + two(now.getSeconds());
  return `${browser}.live-${day}-${time}`;
}

const lockOf = (streamId) => `lookback.${streamId}`;

/** Says to this browser's other tabs that the stream is live here. Returns what ends it. */
export function holdLive(streamId) {
  let release = () => {};
  const held = new Promise((resolve) => { release = resolve; });
  navigator.locks?.request(lockOf(streamId), () => held).catch(() => {});
  return release;
}

/** Whether it is live in any tab of this browser. */
export async function heldLive(streamId) {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return held.some((one) => one.name === lockOf(streamId));
}

/** A recording's stream: the same file goes to the same stream, and changes nothing there. */
export function recordingId(file) {
  const told = file.name.normalize("NFC").replace(/[^\p{L}\p{N}_.-]+/gu, "-"); // in whatever script
  const name = [...told].slice(0, 60).join("").replace(/^[-.]+|[-.]+$/g, "");
  return `${browser}.${name || "recording"}-${file.size.toString(36)}`;
}

let asking = null;

/** Ask for the token once, however many requests wait for it. */
function signIn() {
  asking ??= new Promise((resolve) => {
    const problem = el("p", { class: "problem", role: "alert" });
    const input = el("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
    const dialog = el("dialog", { class: "sheet narrow", "aria-labelledby": "token-title" });
    const present = async (event) => {
      event.preventDefault();
      const refused = await handIn(input.value);
      if (refused) {
        fill(problem, refused);
        input.select();
        return;
      }
      dialog.close();
      dialog.remove();
      asking = null;
      resolve();
    };
    fill(dialog, el("form", { onsubmit: present },
      el("h2", { id: "token-title" }, "Welcome"),
      el("p", {}, "This memory is private. Its token is the one the server was started with."),
      el("label", { for: "token" }, "Token"),
      input,
      problem,
      el("div", { class: "row end" }, el("button", { class: "primary", type: "submit" }, "Come in"))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.querySelector("#lookback").append(dialog);
    dialog.showModal();
  });
  return asking;
}

/** What was wrong with the token, or nothing. */
async function handIn(token) {
  try {
    const response = await fetch("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (response.ok) return "";
    const failure = await failureOf(response);
    return failure.status === 401 ? "That is not the token of this server." : sentence(failure);
  } catch {
    return "The server cannot be reached; try again in a moment.";
  }
}

server.addEventListener("unauthorized", async (event) => {
  await signIn();
  event.detail();
});

/** Resolves once the server lets us in. */
export async function admitted() {
  const response = await fetch("/session", { cache: "no-store" });
  const state = await response.json();
  if (!state.signed_in) await signIn();
}
