// The Memory tab: search with pictures, filters, a day's timeline, and forgetting.

import { clock, el, fill, plural, wallClock } from "./dom.js";
import { get, post, told } from "./api.js";
import { settle } from "./notices.js";
import { icon, KINDS } from "./icons.js";
import { inScope, offerOthers, scope, streamName } from "./session.js";
import { picture } from "./evidence.js";
import { openMoment } from "./moment.js";
import { forgetting, forgotten } from "./forget.js";
import { DayView } from "./day.js";
import { pinButton, showPins } from "./pin.js";

const SHOWN = 20;
const WIDEST = 12; // streams searched at once: a time of day is another second on each
// Cosine of a find's meaning with the query's from which it is meant though it holds none of its
// words; of what was seen, which is known by a few labels, any noun is a little alike.
const ALIKE = 0.4;
const ALIKE_SEEN = 0.55;

export class MemoryTab {
  constructor() {
    this.streams = null; // not known yet
    this.kinds = new Set();
    this.query = el("input", { type: "search", id: "query", placeholder: "Keys, door code, what Ines said …",
      "aria-label": "Search the memory", maxlength: 500,
      oninput: () => !this.query.value && this.search() }); // emptied, it shows the latest again
    this.stream = el("select", { id: "in-stream", onchange: () => this.search() });
    this.from = el("input", { type: "datetime-local", id: "from", onchange: () => this.search() });
    this.to = el("input", { type: "datetime-local", id: "to", onchange: () => this.search() });
    this.chips = Object.entries(KINDS).map(([kind, label]) => el("button", {
      class: "chip", type: "button", "aria-pressed": "false", onclick: (event) => this.toggleKind(kind, event.currentTarget),
    }, icon(kind), label));
    this.forgetStream = el("button", { class: "plain danger", type: "button", hidden: true,
      onclick: () => this.forgetWhole() }, icon("bin"), "Forget this stream");
    this.said = el("p", { class: "quiet-text", role: "status" });
    this.results = el("ul", { class: "results", "aria-label": "Results" });
    this.day = new DayView();
    this.node = el("div", { class: "memory" },
      el("section", { class: "searching", "aria-label": "Search" },
        el("form", { class: "search-box", role: "search", onsubmit: (event) => { event.preventDefault(); this.search(); } },
          icon("search"), this.query, el("button", { class: "primary", type: "submit" }, "Search")),
        el("div", { class: "filters" },
          el("div", { class: "chip-row", role: "group", "aria-label": "Kinds" }, this.chips),
          field("in-stream", "In", this.stream), field("from", "From", this.from), field("to", "To", this.to),
          this.forgetStream),
        this.said, this.results),
      this.day.node);
    scope.addEventListener("change", () => this.refresh());
    forgotten.addEventListener("forgotten", () => this.refresh());
  }

  async refresh() {
    try {
      const { streams } = await get("/v1/streams");
      this.streams = inScope(streams);
      this.others = streams.length - this.streams.length;
      settle("streams");
    } catch (failure) {
      told("streams", failure);
      return;
    }
    const chosen = this.stream.value;
    fill(this.stream, el("option", { value: "" }, scope.everything ? "Everything" : "All of mine"),
      this.streams.map((one) => el("option", { value: one.stream_id }, streamName(one.stream_id))));
    this.stream.value = this.streams.some((one) => one.stream_id === chosen) ? chosen : "";
    this.day.show(this.streams);
    await this.search();
  }

  toggleKind(kind, chip) {
    const on = !this.kinds.delete(kind);
    if (on) this.kinds.add(kind);
    chip.setAttribute("aria-pressed", String(on));
    this.search();
  }

  async search() {
    this.forgetStream.hidden = !this.stream.value;
    if (!this.streams) return; // searched once they are known
    const began = performance.now();
    const asked = (this.asked = {});
    if (!this.streams.length) {
      this.nothing(null);
      return;
    }
    try {
      const hits = await this.found();
      if (this.asked !== asked) return;
      const kept = hits.slice(0, SHOWN);
      const text = this.query.value.trim();
      if (!kept.length) this.nothing(text);
      else this.draw(kept, text, performance.now() - began);
    } catch (failure) {
      told("search", failure);
    }
  }

  /** One search; with times of day, one for each stream, best first among all. */
  async found() {
    const query = this.query.value.trim();
    const search = { query, limit: SHOWN, kinds: [...this.kinds] };
    this.unsearched = 0;
    if (!this.from.value && !this.to.value) {
      if (this.stream.value) search.stream_id = this.stream.value;
      else if (!scope.everything) search.stream_ids = this.streams.map((one) => one.stream_id);
      return (await post("/v1/search", search)).results;
    }
    const chosen = this.streams.filter((one) => !this.stream.value || one.stream_id === this.stream.value);
    const searches = chosen.map((one) => ({ one, span: this.span(one) })).filter(({ span }) => span);
    this.unsearched = Math.max(0, searches.length - WIDEST);
    const found = await Promise.all(searches.slice(0, WIDEST).map(async ({ one, span }) =>
      (await post("/v1/search", { ...search, stream_id: one.stream_id, ...span })).results));
    const latest = (hit) => Date.parse(this.beginning(hit.stream_id)) + hit.start * 1000;
    return found.flat().sort(query ? (a, b) => b.score - a.score : (a, b) => latest(b) - latest(a));
  }

  /** The filter's times as seconds of this stream; null when it has nothing there. */
  span(stream) {
    const begin = Date.parse(stream.wall_start);
    const second = (value) => (Date.parse(value) - begin) / 1000;
    const span = {};
    if (this.from.value) {
      if (second(this.from.value) > stream.seconds) return null;
      span.start = Math.max(0, second(this.from.value));
    }
    if (this.to.value) {
      if (second(this.to.value) < 0) return null;
      span.end = second(this.to.value);
    }
    if (span.start !== undefined && span.end !== undefined && span.end < span.start) return null;
    return span;
  }

  beginning(streamId) {
    return this.streams.find((one) => one.stream_id === streamId)?.wall_start;
  }

  draw(hits, text, took) {
    const rest = this.unsearched ? `; ${plural(this.unsearched, "older stream")} not searched: choose one` : "";
    // What was only asked of Lookback, or said by it, comes after what it rests on.
    const told = (hit) => (hit.role === "statement" ? 0 : 1);
    const meant = byMoment(text ? hits.filter(isMeant).sort((a, b) => told(a) - told(b)) : hits);
    const shown = new Set(meant.map(([hit]) => hit.moment_id));
    const others = byMoment(hits.filter((hit) => !shown.has(hit.moment_id)));
    this.said.textContent = (text
      ? `${plural(meant.length, "find")} in ${Math.round(took)} ms, best first`
      : `The latest ${meant.length === 1 ? "moment" : `${meant.length} moments`} remembered`) + rest;
    fill(this.results, meant.map((found) => this.result(found)),
      others.length > 0 && el("li", { class: "further" },
        el("h3", {}, meant.length ? "Less alike" : "Nothing says so. What comes nearest:")),
      others.map((found) => this.result(found)));
    this.pins([...new Set(hits.map((hit) => hit.moment_id))]);
  }

  /** What was found of one moment, best first. */
  result([hit, ...more]) {
    return el("li", {}, el("button", {
      class: "result", type: "button",
      onclick: () => openMoment(hit.moment_id, { streamId: hit.stream_id, quote: hit.text, at: hit.start }),
    },
    el("span", { class: "result-picture" }, picture(hit.keyframe, hit.kind)),
    el("span", { class: "result-words" },
      el("span", { class: "result-text", dir: "auto" }, hit.text.replaceAll("\n", " / ")),
      more.map((one) => el("span", { class: "result-more" }, icon(one.kind),
        el("span", { class: "unseen" }, `${KINDS[one.kind] || ""} `),
        el("span", { dir: "auto" }, one.text.replaceAll("\n", " / ")))),
      el("span", { class: "result-where" }, icon(hit.kind), el("span", { class: "unseen" }, `${KINDS[hit.kind] || ""} `),
        el("span", {}, `${clock(hit.start)} · ${wallClock(this.beginning(hit.stream_id), hit.start, true)}`),
        el("span", { class: "result-stream", dir: "auto" }, streamName(hit.stream_id))))),
    pinButton(hit.moment_id, false, { what: `the moment at ${clock(hit.start)}`, brief: true }));
  }

  /** Asked for once the results are there: they do not wait for it. */
  async pins(momentIds) {
    const asked = new URLSearchParams(momentIds.map((one) => ["moment_id", one]));
    try {
      showPins(momentIds, (await get(`/v1/pins?${asked}`)).pinned);
    } catch (failure) {
      told("search", failure);
    }
  }

  nothing(text) {
    this.said.textContent = "";
    const [title, advice] = this.why(text);
    fill(this.results, el("li", { class: "nothing" }, el("p", { class: "nothing-title" }, title), el("p", {}, advice),
      text === null && this.others > 0 && offerOthers(this.others)));
  }

  /** Why nothing is shown, and what to do. */
  why(text) {
    const [from, to] = [this.from.value, this.to.value];
    const filtered = this.kinds.size > 0 || this.stream.value || from || to;
    if (text === null || (!text && !filtered)) {
      return [this.others > 0 ? "Nothing of yours is remembered yet." : "Nothing is remembered yet.",
        "Start watching in Live, or drop a recording in Recordings; what was seen and said can be found here."];
    }
    if (from && to && to < from) return ["That ends before it begins.", "Choose a later “To”, or an earlier “From”."];
    return [text ? "Nothing like that is remembered." : "Nothing there.", "Try other words, or fewer filters."];
  }

  forgetWhole() {
    const streamId = this.stream.value;
    forgetting({ stream_id: streamId }, `all of ${streamName(streamId)}`);
  }
}

/** Finds of one moment together, where its best stands. */
function byMoment(hits) {
  const found = new Map();
  for (const hit of hits) found.set(hit.moment_id, [...(found.get(hit.moment_id) ?? []), hit]);
  return [...found.values()];
}

/** Does it hold a word of the query, mean the same, or look like it? */
function isMeant(hit) {
  const alike = hit.kind === "vision" ? ALIKE_SEEN : ALIKE;
  return hit.coverage > 0 || hit.similarity >= alike || hit.likeness != null;
}

function field(id, label, input) {
  return el("div", { class: "field" }, el("label", { for: id }, label), input);
}
