// Line drawings on a 24 x 24 grid.

import { el } from "./dom.js";

const PATHS = {
  camera: "M3 8a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z M15 10.5l6-3.5v10l-6-3.5",
  screen: "M3 5h18v11H3z M8 20h8 M12 16v4",
  microphone: "M12 4a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V7a3 3 0 0 1 3-3z M6 12a6 6 0 0 0 12 0 M12 18v3",
  voice: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z M15.5 9a4 4 0 0 1 0 6 M18 6.5a8 8 0 0 1 0 11",
  speech: "M4 5h16v11H11l-5 4v-4H4z",
  screen_text: "M4 6h16 M4 10.5h16 M4 15h11 M4 19.5h7",
  vision: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  sound: "M4 14v-4 M8 17V7 M12 20V4 M16 17V7 M20 14v-4",
  fact: "M6 4h12v16l-6-4-6 4z",
  episode: "M4 6h16v12H4z M9 6v12 M15 6v12",
  devices: "M4 8h9 M17 8h3 M15 6a2 2 0 1 1 0 4a2 2 0 1 1 0-4z M4 16h3 M11 16h9 M9 14a2 2 0 1 1 0 4a2 2 0 1 1 0-4z",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z M15.5 15.5L20.5 20.5",
  bin: "M5 7h14 M10 7V4.5h4V7 M7 7l1 13h8l1-13 M10.5 11v5.5 M13.5 11v5.5",
  pin: "M9 4h6l-1 6 3.5 3.5h-11L10 10z M12 13.5V20",
  close: "M6 6l12 12 M18 6L6 18",
  send: "M4 12h15 M13 6l6 6-6 6",
  play: "M7 5l12 7-12 7z",
  stop: "M6.5 6.5h11v11h-11z",
  before: "M15 5l-7 7 7 7",
  after: "M9 5l7 7-7 7",
  film: "M4 5h16v14H4z M8 5v14 M16 5v14 M4 9.7h4 M4 14.3h4 M16 9.7h4 M16 14.3h4",
  live: "M12 9.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z M7.5 7.5a6.4 6.4 0 0 0 0 9 M16.5 7.5a6.4 6.4 0 0 1 0 9 M4.6 4.6a10.5 10.5 0 0 0 0 14.8 M19.4 4.6a10.5 10.5 0 0 1 0 14.8",
  memory: "M12 3.5c4.4 0 8 1.5 8 3.5s-3.6 3.5-8 3.5S4 9 4 7s3.6-3.5 8-3.5z M4 7v5c0 2 3.6 3.5 8 3.5s8-1.5 8-3.5V7 M4 12v5c0 2 3.6 3.5 8 3.5s8-1.5 8-3.5v-5",
  system: "M3 13h4l2.5-7 4.5 13 2.5-6H21",
  light: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8z M12 2.5v2.5 M12 19v2.5 M2.5 12H5 M19 12h2.5 M5.3 5.3l1.8 1.8 M16.9 16.9l1.8 1.8 M18.7 5.3l-1.8 1.8 M7.1 16.9l-1.8 1.8",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  auto: "M12 3.5a8.5 8.5 0 1 1 0 17z M12 3.5a8.5 8.5 0 0 0 0 17",
};

export function icon(name) {
  return el("svg", { class: "icon", viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true", focusable: "false" },
    el("path", { d: PATHS[name] || PATHS.vision }));
}

export const KINDS = {
  speech: "Said",
  screen_text: "Read",
  vision: "Seen",
  sound: "Heard",
};

/** The mark of the page: an eye that sleeps while nothing is recorded. */
export function eye() {
  return el("svg", { class: "eye", viewBox: "0 0 32 32", width: 38, height: 38, "aria-hidden": "true", focusable: "false" },
    el("path", { class: "eye-back", d: "M4.9 20.4A12 12 0 1 1 11.4 27.1" }),
    el("path", { class: "eye-tip", d: "M1.9 16.4L4.9 20.7L9.2 18" }),
    el("path", { class: "eye-shut", d: "M10.5 15.5q5.5 5 11 0" }),
    el("g", { class: "eye-open" },
      el("path", { class: "eye-lids", d: "M9 16q7-8 14 0q-7 8-14 0z" }),
      el("circle", { class: "eye-pupil", cx: 16, cy: 16, r: 2.6 })));
}
