// The recordings that this page was given, by stream: they stay in the browser, and only while it is open.

const urls = new Map();
let player = null;

export const originals = {
  /** The file a stream was made from. */
  keep(streamId, file) {
    if (!urls.has(streamId)) urls.set(streamId, URL.createObjectURL(file));
  },
  /** How long it plays, in seconds; null where this browser cannot tell. */
  lasts: (streamId) => new Promise((resolve) => {
    const probe = document.createElement("video");
    probe.preload = "metadata";
    probe.onloadedmetadata = () => resolve(isFinite(probe.duration) ? probe.duration : null);
    probe.onerror = () => resolve(null);
    probe.src = urls.get(streamId);
  }),
  has: (streamId) => urls.has(streamId),
  url: (streamId) => urls.get(streamId) ?? null,
  /** Who plays: `play(streamId, seconds)` shows the Recordings tab at that second. */
  playedBy(play) {
    player = play;
  },
  play(streamId, seconds) {
    player?.(streamId, seconds);
  },
};
