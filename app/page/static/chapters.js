// A stream's chapters: what its moments were compressed into. Hours open into minutes, those into
// the moments themselves; what came last and belongs to no chapter yet is a strip of moments.

import { duration, el, fill, plural, wallClock } from "./dom.js";
import { get, told } from "./api.js";
import { picture, Strip } from "./evidence.js";

const LONG = 2 * 3600; // seconds; a stream that is longer is shown by the hour first
const PICTURES = 60; // in one strip
const AFTER = 0.001; // seconds; the chapter before ends where the next begins

/** A node that fills itself with what stream `{stream_id, wall_start}` holds from `start` to `end`. */
export function chapters(stream, start, end) {
  const node = el("div", { class: "chapters-frame" });
  show(node, stream, start, end, end - start > LONG ? "hours" : "minutes");
  return node;
}

async function show(node, stream, start, end, level) {
  try {
    const found = (await read(stream, "episodes", start, end, { level })).episodes
      .filter((one) => one.end > start + AFTER && one.start < end - AFTER);
    if (!found.length && level === "hours") {
      await show(node, stream, start, end, "minutes");
      return;
    }
    const rest = found.length ? found.at(-1).end + AFTER : start;
    fill(node, found.length > 0 && el("ol", { class: "chapters" }, found.map((one) => chapter(stream, one))));
    if (rest >= end) return;
    if (level === "hours") node.append(chapters(stream, rest, end));
    else node.append(await moments(stream, rest, end));
  } catch (failure) {
    if (failure.status !== 404) told("streams", failure);
  }
}

/** What it was about, and its best picture; unfolded, what it was made of. */
function chapter(stream, episode) {
  const inside = el("div", { class: "chapter-inside" });
  const at = `${wallClock(stream.wall_start, episode.start)} – ${wallClock(stream.wall_start, episode.end)}`;
  const unfold = async (event) => {
    if (!event.currentTarget.open || inside.dataset.asked) return;
    inside.dataset.asked = "yes";
    if (episode.level !== "minutes") {
      await show(inside, stream, episode.start, episode.end, "minutes");
      return;
    }
    try {
      fill(inside, await moments(stream, episode.start, episode.end - AFTER));
    } catch (failure) {
      delete inside.dataset.asked;
      told("streams", failure);
    }
  };
  return el("li", { class: "chapter" }, el("details", { ontoggle: unfold },
    el("summary", {},
      el("span", { class: "chapter-picture" }, picture(episode.keyframes[0], "vision")),
      el("span", { class: "chapter-words" },
        el("span", { class: "chapter-when" }, at,
          el("span", { class: "quiet-text" },
            ` ${duration(episode.end - episode.start)}, ${plural(episode.moments, "moment")}`),
          episode.written_by !== "extract" && el("span", {
            class: "quiet-text", title: `Written by ${episode.written_by} from what was said and shown`,
          }, " in the model’s words")),
        el("span", { class: "chapter-text", dir: "auto" }, episode.text))),
    inside));
}

async function moments(stream, start, end) {
  const strip = new Strip(`Moments from ${wallClock(stream.wall_start, start)}`, { empty: "Nothing is left of it here." });
  const found = (await read(stream, "timeline", start, end)).moments;
  const every = Math.max(1, Math.ceil(found.length / PICTURES));
  found.filter((_, index) => index % every === 0).forEach((moment) => strip.add(moment));
  return strip.node;
}

function read(stream, what, start, end, more = {}) {
  const asked = new URLSearchParams({ start, end, ...more });
  return get(`/v1/streams/${encodeURIComponent(stream.stream_id)}/${what}?${asked}`);
}
