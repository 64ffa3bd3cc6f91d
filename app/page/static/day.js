// A day: when each stream ran, on a line of 24 hours, and its moments below.

import { el, fill, plural, wallClock } from "./dom.js";
import { get, sentence } from "./api.js";
import { notice } from "./notices.js";
import { streamName } from "./session.js";
import { Strip } from "./evidence.js";
import { Episodes } from "./episodes.js";

const DAY = 86_400_000;
const STREAMS = 8; // of one day that are unfolded; the line shows all
const PICTURES = 60;

const dayOf = (time) => {
  const date = new Date(time);
  date.setHours(0, 0, 0, 0);
  return date;
};
const written = (date) =>
  `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

export class DayView {
  constructor() {
    this.streams = [];
    this.input = el("input", { type: "date", id: "day", onchange: () => this.draw() });
    this.line = el("div", { class: "day-line" });
    this.body = el("div", { class: "day-streams" });
    this.node = el("section", { class: "card day", "aria-labelledby": "day-title" },
      el("div", { class: "row between" }, el("h2", { id: "day-title" }, "A day"),
        el("div", { class: "field" }, el("label", { for: "day", class: "unseen" }, "Day"), this.input)),
      this.line, this.body);
  }

  show(streams) {
    this.streams = streams;
    const latest = streams.reduce((newest, one) => Math.max(newest, Date.parse(one.wall_start)), 0);
    if (!this.input.value) this.input.value = written(dayOf(latest || Date.now()));
    this.node.hidden = !streams.length;
    this.draw();
  }

  draw() {
    const [year, month, date] = this.input.value.split("-").map(Number);
    const begin = new Date(year, month - 1, date).getTime();
    const here = this.streams.filter((one) => {
      const from = Date.parse(one.wall_start);
      return from < begin + DAY && from + one.seconds * 1000 >= begin;
    });
    this.drawLine(here, begin);
    fill(this.body, here.length ? null : el("p", { class: "quiet-text" }, "Nothing was watched on this day."));
    for (const stream of here.slice(0, STREAMS)) this.unfold(stream, begin);
  }

  drawLine(here, begin) {
    const share = (time) => `${Math.min(100, Math.max(0, ((time - begin) / DAY) * 100)).toFixed(3)}%`;
    fill(this.line,
      el("div", { class: "day-spans", role: "img", "aria-label": `${plural(here.length, "stream")} on this day` },
        here.map((one) => {
          const from = Date.parse(one.wall_start);
          const span = el("span", { class: "day-span", title: streamName(one.stream_id) });
          span.style.left = share(from);
          span.style.width = `max(4px, calc(${share(from + one.seconds * 1000)} - ${share(from)}))`;
          return span;
        })),
      el("div", { class: "day-hours", "aria-hidden": "true" },
        ["0:00", "6:00", "12:00", "18:00", "24:00"].map((hour) => el("span", {}, hour))));
  }

  async unfold(stream, begin) {
    const from = Date.parse(stream.wall_start);
    const strip = new Strip(`Moments of ${streamName(stream.stream_id)}`, { empty: "Nothing is left of it here." });
    const episodes = new Episodes(`${streamName(stream.stream_id)} in short`);
    this.body.append(el("div", { class: "day-stream" },
      el("h3", { dir: "auto" }, streamName(stream.stream_id),
        el("span", { class: "quiet-text" }, ` ${wallClock(stream.wall_start, 0)} – ${wallClock(stream.wall_start, stream.seconds)}`)),
      strip.node, episodes.node));
    const start = Math.max(0, (begin - from) / 1000);
    const end = Math.min(stream.seconds, (begin + DAY - from) / 1000);
    episodes.show(stream, start, Math.max(start, end));
    try {
      const { moments } = await get(
        `/v1/streams/${encodeURIComponent(stream.stream_id)}/timeline?start=${start}&end=${Math.max(start, end)}`);
      const every = Math.max(1, Math.ceil(moments.length / PICTURES));
      moments.filter((_, index) => index % every === 0).forEach((moment) => strip.add(moment));
    } catch (failure) {
      if (failure.status !== 404) notice("streams", sentence(failure));
    }
  }
}
