// One moment in a dialog: its picture, its times, and what was said and seen around it.

import { clock, el, fill, wallClock } from "./dom.js";
import { get, sentence } from "./api.js";
import { icon, KINDS } from "./icons.js";
import { streamName } from "./session.js";
import { forgetting } from "./forget.js";
import { picture } from "./evidence.js";
import { originals } from "./originals.js";
import { pinButton } from "./pin.js";

const AROUND = 20; // seconds before and after that are shown with it

/** `quote` is marked; `at` is where the original would be played from. */
export function openMoment(momentId, { streamId, quote = null, at = null }) {
  const body = el("div", { class: "moment-body" }, el("p", { class: "quiet-text" }, "Looking back …"));
  const title = el("h2", { id: "moment-title" }, streamName(streamId));
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "moment-title" },
    el("header", { class: "sheet-head" }, title,
      el("button", { class: "bare", type: "button", "aria-label": "Close", onclick: () => dialog.close() },
        icon("close"))),
    body);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.querySelector("#lookback").append(dialog);
  dialog.showModal();
  const show = (id, found) => load(id, found).catch((failure) =>
    fill(body, el("p", { class: "problem", role: "alert" },
      failure.status === 404 ? "This moment is no longer remembered." : sentence(failure))));

  async function load(id, { quote: marked, at: second }) {
    const moment = await get(`/v1/moments/${encodeURIComponent(id)}`);
    const from = Math.max(0, moment.start - AROUND);
    const around = await get(`/v1/streams/${encodeURIComponent(moment.stream_id)}/timeline` +
      `?start=${from}&end=${moment.end + AROUND}`);
    const index = around.moments.findIndex((one) => one.moment_id === id);
    fill(body, drawn(moment, around, { marked, second, before: around.moments[index - 1],
      after: around.moments[index + 1], show, dialog }));
    body.querySelector(".cited")?.scrollIntoView({ block: "nearest" });
  }

  show(momentId, { quote, at });
}

function drawn(moment, around, { marked, second, before, after, show, dialog }) {
  const step = (other, name, label) => el("button", {
    class: "bare",
    type: "button",
    disabled: !other,
    "aria-label": label,
    onclick: () => show(other.moment_id, {}),
  }, icon(name));
  const seconds = second ?? moment.start;
  const kind = moment.observations[0]?.kind;
  return [
    moment.keyframe
      ? el("div", { class: "moment-picture" }, picture(moment.keyframe, kind, `What was seen at ${clock(moment.start)}`))
      : null,
    el("div", { class: "moment-when" },
      step(before, "before", "The moment before"),
      el("p", {},
        el("strong", {}, `${clock(moment.start)} – ${clock(moment.end)}`),
        el("span", { class: "quiet-text" }, wallClock(around.wall_start, moment.start, true))),
      step(after, "after", "The moment after")),
    el("h3", {}, "Around it"),
    el("ol", { class: "around" }, aroundOf(around, moment, marked)),
    el("div", { class: "row end sheet-foot" },
      pinButton(moment.moment_id, moment.pinned, { what: `the moment at ${clock(moment.start)}` }),
      originals.has(moment.stream_id) && el("button", {
        class: "primary",
        type: "button",
        onclick: () => {
          dialog.close();
          originals.play(moment.stream_id, seconds);
        },
      }, icon("play"), `Play from ${clock(seconds)}`),
      el("button", {
        class: "plain danger",
        type: "button",
        onclick: async () => {
          const gone = await forgetting({ moment_ids: [moment.moment_id] },
            `this moment of ${streamName(moment.stream_id)}, ${clock(moment.start)} to ${clock(moment.end)}`);
          if (gone) dialog.close();
        },
      }, icon("bin"), "Forget this moment")),
  ];
}

function aroundOf(around, moment, marked) {
  const seen = around.moments.flatMap((one) => one.observations.map((seen) => ({ ...seen, of: one.moment_id })));
  seen.sort((a, b) => a.start - b.start);
  return seen.map((one) => el("li", {
    class: [one.of === moment.moment_id ? "here" : "", marked && one.text === marked ? "cited" : ""].join(" ").trim() || null,
  },
  el("span", { class: "around-time" }, clock(one.start)),
  el("span", { class: "around-kind", title: KINDS[one.kind] || "" }, icon(one.kind),
    el("span", { class: "unseen" }, `${KINDS[one.kind] || "Remembered"}: `)),
  el("span", { class: "around-text", dir: "auto" }, one.speaker ? `${one.speaker}: ${one.text}` : one.text)));
}
