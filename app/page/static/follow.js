// A stream's server-sent events, followed over every interruption.

import { outage, server } from "./api.js";

const KINDS = ["observation", "moment", "progress", "received", "partial", "state", "token", "interrupted",
  "answer", "missed", "replayed", "ended"];
const AGAIN = 2000; // ms

/** Calls `on(kind, body)` for each event; `caughtUp()` after a gap. Returns what ends it. */
export function follow(streamId, on, caughtUp = () => {}) {
  let source = null;
  let ended = false;
  let gap = false;
  let timer = null;

  const open = () => {
    clearTimeout(timer);
    source?.close();
    if (ended) return;
    source = new EventSource(`/v1/streams/${encodeURIComponent(streamId)}/events`);
    source.onopen = () => {
      if (gap) caughtUp();
      gap = false;
    };
    source.onerror = () => {
      gap = true;
      if (source.readyState !== EventSource.CLOSED) return;
      // A status other than 200 closes it for good: whether the server is there is found out.
      fetch("/healthz", { cache: "no-store" }).catch(() => outage());
      timer = setTimeout(open, AGAIN);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => on(kind, JSON.parse(event.data)));
    }
  };

  server.addEventListener("back", open);
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    server.removeEventListener("back", open);
    source?.close();
  };
}
