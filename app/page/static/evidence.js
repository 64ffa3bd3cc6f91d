// A piece of evidence as a thumbnail with its time, which opens the moment it is from.

import { el, insertByTime } from "./dom.js";
import { icon, KINDS } from "./icons.js";
import { openMoment } from "./moment.js";
import { timeOf } from "./session.js";

const KEYFRAMES = "/v1/moments/";

/** A moment's picture, or its kind's drawing. Only our own server's pictures are ever asked for. */
export function picture(keyframe, kind, description = "") {
  if (!keyframe || !keyframe.startsWith(KEYFRAMES)) {
    return el("span", { class: "no-picture" }, icon(kind));
  }
  const image = el("img", { src: keyframe, alt: description, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(picture(null, kind)), { once: true });
  return image;
}

/** `cited`: {moment_id, stream_id, start, end, kind, quote, keyframe}. */
export function evidence(cited) {
  const said = (cited.quote || "").replaceAll("\n", " / ");
  const verb = KINDS[cited.kind] || "Remembered";
  return el("button", {
    class: "evidence",
    type: "button",
    "aria-label": `${verb} at ${timeOf(cited.stream_id, cited.start)}: ${said.slice(0, 160)}`,
    title: said.slice(0, 300),
    onclick: () => openMoment(cited.moment_id, { streamId: cited.stream_id, quote: cited.quote, at: cited.start }),
  },
  picture(cited.keyframe, cited.kind),
  el("span", { class: "evidence-time" }, timeOf(cited.stream_id, cited.start)));
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** A strip of moments in the order of time. By keyboard it is one stop; arrow keys go along it. */
export class Strip {
  constructor(label, { empty, longest = 240 } = {}) {
    this.list = el("ol", { class: "strip", "aria-label": label, onkeydown: (event) => this.key(event),
      onfocusin: ({ target }) => this.reach(target) });
    this.empty = el("p", { class: "strip-empty" }, empty || "");
    this.node = el("div", { class: "strip-frame" }, this.empty, this.list);
    this.longest = longest;
    this.seen = new Set();
  }

  clear() {
    this.list.replaceChildren();
    this.seen.clear();
    this.empty.hidden = false;
  }

  /** What the moment shows; one that is already there is left as it is. */
  add(moment, { follow = false } = {}) {
    if (this.seen.has(moment.moment_id)) return;
    this.seen.add(moment.moment_id);
    this.empty.hidden = true;
    const kind = moment.observations?.[0]?.kind || "vision";
    const text = moment.text.replaceAll("\n", " / ");
    const time = timeOf(moment.stream_id, moment.start);
    const atEnd = this.list.scrollWidth - this.list.scrollLeft - this.list.clientWidth < 120;
    const frame = el("button", {
      class: "frame",
      type: "button",
      tabindex: "-1",
      "aria-label": `Moment at ${time}: ${text.slice(0, 120)}`,
      title: text.slice(0, 300),
      onclick: () => openMoment(moment.moment_id, { streamId: moment.stream_id, at: moment.start }),
    },
    moment.keyframe ? picture(moment.keyframe, kind) : el("span", { class: "no-picture words" }, icon(kind),
      el("span", {}, text.slice(0, 60))),
    el("span", { class: "evidence-time" }, time));
    insertByTime(this.list, el("li", { class: follow ? "arriving" : null }, frame), moment.start);
    if (this.list.childElementCount > this.longest) this.list.firstElementChild.remove();
    if (!this.reached?.isConnected || (follow && !this.list.contains(document.activeElement))) this.reach(frame);
    if (follow && atEnd) this.list.scrollLeft = this.list.scrollWidth;
  }

  /** Shows its end, which is where the keyboard then comes to. */
  toEnd() {
    this.list.scrollLeft = this.list.scrollWidth;
    const last = this.list.querySelector("li:last-child button");
    if (last) this.reach(last);
  }

  reach(frame) {
    if (this.reached) this.reached.tabIndex = -1;
    this.reached = frame;
    frame.tabIndex = 0;
  }

  key(event) {
    if (!(event.key in STEPS) || event.ctrlKey || event.metaKey || event.altKey) return;
    const frames = [...this.list.querySelectorAll("button")];
    const to = frames.indexOf(document.activeElement) + STEPS[event.key];
    event.preventDefault();
    frames[Math.min(Math.max(to, 0), frames.length - 1)]?.focus();
  }
}
