// What a stream's moments were compressed to: one summary after another, each with its time.

import { clock, el, fill, wallClock } from "./dom.js";
import { get, sentence } from "./api.js";
import { notice } from "./notices.js";
import { openMoment } from "./moment.js";

const LEVELS = [1, 2, 3]; // minutes, hours, days
const SHOWN = 12; // more episodes than this, and the level above tells it better

export class Episodes {
  constructor(label) {
    this.list = el("ol", { class: "episodes", "aria-label": label });
    this.node = el("details", { class: "episodes-of", hidden: true },
      el("summary", {}, "In short"), this.list);
  }

  /** The finest level with few enough of them, from `start` to `end` seconds of the stream. */
  async show(stream, start, end) {
    const path = `/v1/streams/${encodeURIComponent(stream.stream_id)}/episodes?start=${start}&end=${end}`;
    let told = [];
    try {
      for (const level of LEVELS) {
        const { episodes } = await get(`${path}&level=${level}`);
        const said = episodes.filter((one) => one.text);
        if (level > 1 && !said.length) break;
        told = said;
        if (told.length <= SHOWN) break;
      }
    } catch (failure) {
      if (failure.status !== 404) notice("streams", sentence(failure));
      return;
    }
    this.node.hidden = !told.length;
    fill(this.list, told.map((one) => item(one, stream.wall_start)));
  }
}

function item(episode, wallStart) {
  const first = [...episode.quotes].sort((a, b) => a.start - b.start)[0];
  const when = `${clock(episode.start)} – ${clock(episode.end)}`;
  return el("li", {},
    el("button", {
      class: "episode",
      type: "button",
      disabled: !first,
      onclick: () => openMoment(first.moment_id, { streamId: episode.stream_id, quote: first.text, at: first.start }),
    },
    el("span", { class: "episode-when" }, when,
      el("span", { class: "quiet-text" }, ` ${wallClock(wallStart, episode.start)}`)),
    el("span", { class: "episode-text", dir: "auto" }, episode.text),
    episode.written_by === "extract" ? null : el("span", {
      class: "episode-by", title: `Written by ${episode.written_by} from what was said and shown`,
    }, "in the model’s words")));
}
