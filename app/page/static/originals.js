// The recordings that this page was given, by stream: they stay in the browser, and only while it is open.

const urls = new Map();
let player = null;

export const originals = {
  /** The file a stream was made from. */
  keep(streamId, file) {
    if (!urls.has(streamId)) urls.set(streamId, URL.createObjectURL(file));
  },
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
