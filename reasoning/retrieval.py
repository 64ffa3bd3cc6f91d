"""From a question to passages: searches, neighbours, the timeline. Evidence is what was stated:
questions asked before and the agent's own answers hold the same words and are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from memory.records import (
    Correction,
    Episode,
    Fact,
    Kind,
    MemoryReader,
    Moment,
    Observation,
    Query,
    Quote,
    Stream,
    put_right,
)
from reasoning.analysis import Analysis, Term
from reasoning.composed import labels
from reasoning.evidence import Passage, Source, of_time, passages, source_of
from reasoning.likely import Likely
from reasoning.matching import Matcher
from reasoning.timeparse import TimeReference
from reasoning.values import has_form
from reasoning.words import HYPONYMS, words

_LIMIT = 24
_COUNTED = 200  # hits that are read to count how often
_SIGHTINGS = 60
_NEIGHBOURED = 8  # how many hits are read together with what stands around them
_AROUND = 10.0  # seconds
_STATED = 7  # facts about one thing that are looked up beside what search found
_EVIDENCE: tuple[Kind, ...] = ("speech", "screen_text", "sound")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and until when to look."""

    stream: Stream | None  # the asked one, or the only one
    stream_id: str | None
    before: float | None
    now: float
    wall_now: datetime
    clock: datetime  # on the wall at the time of asking


class Retriever:
    """One question's look into memory."""

    def __init__(self, memory: MemoryReader) -> None:
        self._memory = memory
        self._streams: list[Stream] = []
        self._wall: dict[str, datetime] = {}
        self._corrections: list[Correction] = []

    async def scope(
        self,
        stream_id: str | None,
        at: float | None,
        clock_now: datetime,
        wall: datetime | None = None,
    ) -> Scope:
        """`wall`: the time asked of, where it is one on the wall clock."""
        streams = await self._memory.streams()
        self._streams = streams
        self._wall = {s.id: s.wall_start for s in streams}
        self._corrections = await self._memory.corrections(stream_id)
        own = [s for s in streams if s.id == stream_id]
        if stream_id is None and streams:
            own = [max(streams, key=lambda s: s.wall_start + timedelta(seconds=s.seconds))]
        stream = own[0] if own else None
        if wall is not None and stream is not None and at is None:
            now = (wall - stream.wall_start).total_seconds()
            return Scope(stream, stream_id, None, now, wall, wall)
        now = at if at is not None else stream.seconds if stream else 0.0
        wall_now = stream.wall_start + timedelta(seconds=now) if stream else clock_now
        return Scope(stream, stream_id, at, now, wall_now, clock_now if at is None else wall_now)

    async def find(
        self, analysis: Analysis, when: TimeReference, scope: Scope, matcher: Matcher
    ) -> list[Passage]:
        """Passages that answer, best first; within the time asked about if anything is there."""
        found = await self._find(when.rest, when, scope, matcher)
        keywords = " ".join(t.word for t in analysis.required)
        if not found and keywords:
            found = await self._find(keywords, when, scope, matcher)
        if not found and when.bounded and keywords:
            found = await self._find(when.rest, TimeReference(when.rest), scope, matcher)
        if not found and keywords and len(analysis.terms) > 1:
            found = await self._misheard(keywords, when, scope, matcher)
        if has_form(analysis.asked) and not when.bounded and not any(p.heard_as for p in found):
            found = await self._with_stated(found, scope, matcher)
        return found

    async def likely(self, when: TimeReference, scope: Scope, matcher: Matcher) -> list[Passage]:
        """Passages that seem to answer in other words than the question's, likest first."""
        sources = await self.told(when, scope)
        nearby = await self._memory.neighbours(
            [s.observation for s in sources[:_NEIGHBOURED]], _AROUND
        )
        found: list[Passage] = []
        for at, source in enumerate(sources):
            near = nearby[at] if at < len(nearby) else []
            around = [
                self._seen(o, source.wall_start)
                for o in sorted(near, key=lambda o: o.start)
                if o.role == "statement" and (scope.before is None or o.end <= scope.before)
            ]
            found += [Passage(source.text, (source,)), *passages(source, around)]
        return Likely(matcher, sources).among(found)

    async def _with_stated(
        self, found: list[Passage], scope: Scope, matcher: Matcher
    ) -> list[Passage]:
        """The same with what was stated of the thing asked about and was not found: where much was
        said of it, the first and the last may be far down. They have to answer as all others do."""
        things = [t.word for t in matcher.analysis.required if t.role in ("noun", "proper")]
        if not things:
            return found
        facts = await self._memory.facts(things[-1], scope.stream_id, None, True)
        known = {s.observation.id for p in found for s in p.sources}
        chosen = {f.observation_id: f for f in facts if f.observation_id not in known}
        stated = list(chosen.values())
        added: list[Passage] = []
        for fact in [*stated[:1], *stated[1:][-_STATED:]]:
            source = await self._source(fact)
            if source is not None and (
                scope.before is None or source.observation.end <= scope.before
            ):
                added += passages(source, ())
        return matcher.accepted([*found, *added]) if added else found

    async def _source(self, fact: Fact) -> Source | None:
        if fact.stream_id not in self._wall:
            return None  # it began after the question
        moments = await self._memory.timeline(fact.stream_id, fact.valid_from, fact.valid_from)
        for moment in moments:
            for seen in moment.observations:
                if seen.id == fact.observation_id:
                    return self._seen(seen, self._wall[seen.stream_id], moment)
        return None

    def _seen(
        self,
        seen: Observation,
        wall_start: datetime,
        moment: Moment | None = None,
        id: str | None = None,
    ) -> Source:
        """`id`: the observation's, where a text that was cut would give it another."""
        key = seen.id if id is None else id
        right = put_right(self._corrections, key, seen.stream_id, seen.start, seen.text)
        if moment is None:
            return Source(seen, wall_start, corrected=right)
        return Source(seen, wall_start, moment.id, moment.keyframe, corrected=right)

    async def _misheard(
        self, keywords: str, when: TimeReference, scope: Scope, matcher: Matcher
    ) -> list[Passage]:
        """Passages with one word that may be another misheard, where nothing holds them all."""
        found = await self._find(
            keywords, when, scope, matcher.hearing_wrong(await self._strangers(scope, matcher))
        )
        names = {p.heard_as for p in found} - {""}
        return found if len(names) <= 1 else [p for p in found if not p.heard_as]

    async def _strangers(self, scope: Scope, matcher: Matcher) -> frozenset[str]:
        """Names of the question that are nowhere in memory."""
        unknown: set[str] = set()
        for term in matcher.analysis.required:
            if term.role == "proper":
                sources = await self._search(term.word, TimeReference(""), scope, (), _LIMIT)
                if not any(matcher.holds(term, words(s.text)) for s in sources):
                    unknown.add(term.word)
        return frozenset(unknown)

    async def _find(
        self, text: str, when: TimeReference, scope: Scope, matcher: Matcher
    ) -> list[Passage]:
        limit = _COUNTED if matcher.analysis.asked == "count" else _LIMIT
        sources = await self._search(text, when, scope, _EVIDENCE, limit)
        found = [p for s in sources for p in passages(s, ())]
        accepted = matcher.accepted(found)
        alone = [
            source
            for source in sources[:_NEIGHBOURED]
            if not any(source in p.sources for p in accepted)
        ]
        nearby = await self._memory.neighbours([s.observation for s in alone], _AROUND)
        for source, near in zip(alone, nearby, strict=True):
            if any(source in p.sources for p in accepted):
                continue
            around = [
                self._seen(o, source.wall_start)
                for o in sorted(near, key=lambda o: o.start)
                if o.role == "statement" and (scope.before is None or o.end <= scope.before)
            ]
            accepted += matcher.accepted(passages(source, around))
        return matcher.accepted(accepted)

    async def sightings(
        self, analysis: Analysis, when: TimeReference, scope: Scope, matcher: Matcher
    ) -> list[Passage]:
        """What was seen of what is asked for, surest first."""
        terms = [t for t in analysis.required if t.role != "colour"]
        if not terms:
            return []
        kinds = [w for t in terms for w in sorted(HYPONYMS.get(t.stem, ()))[:12]]
        asked_for = " ".join(t.word for t in terms)
        found: dict[str, Passage] = {}
        for text in (asked_for, " ".join([asked_for, *kinds])) if kinds else (asked_for,):
            for source in await self._search(text, when, scope, ("vision",), _SIGHTINGS):
                seen = source.observation
                if not labels(seen.text):
                    continue
                strength = min(_strength(matcher, term, seen) for term in terms)
                if strength and strength > (found[seen.id].score if seen.id in found else 0.0):
                    found[seen.id] = Passage(seen.text, (source,), strength)
        return sorted(found.values(), key=lambda p: (-p.score, p.at))

    async def pictures(self, when: TimeReference, scope: Scope) -> list[Source]:
        """What was seen, likest to the question first."""
        return await self._search(when.rest, when, scope, ("vision",), _SIGHTINGS)

    async def present(self, scope: Scope, seconds: float) -> list[Source]:
        """What is seen at the time of asking: the last picture and text of the last seconds."""
        if scope.stream is None:
            return []
        moments = await self._memory.timeline(
            scope.stream.id, max(0.0, scope.now - seconds), scope.now
        )
        seen = [
            s
            for s in self._sources(moments, scope.stream)
            if s.observation.kind in ("vision", "screen_text")
            and s.observation.start <= scope.now
            and s.observation.end >= scope.now - seconds
        ]
        latest: dict[str, Source] = {}
        for source in sorted(seen, key=lambda s: s.observation.end):
            latest[source.observation.kind] = source
        return [latest[k] for k in ("vision", "screen_text") if k in latest]

    async def pictured(self, start: float, end: float, scope: Scope) -> list[Source]:
        """The moments of that time that have a picture, in order; each by what was seen in it."""
        if scope.stream is None:
            return []
        found = []
        for moment in await self._memory.timeline(scope.stream.id, max(0.0, start), end):
            seen = [o for o in moment.observations if o.role == "statement" and o.start <= end]
            if moment.keyframe and seen:
                shown = min(seen, key=lambda o: (o.kind != "vision", o.start))
                found.append(self._seen(shown, scope.stream.wall_start, moment))
        return sorted(found, key=lambda source: source.observation.start)

    async def hits(self, when: TimeReference, scope: Scope, limit: int) -> list[Source]:
        """What memory finds for the question in its words, of every kind, best first."""
        return await self._search(when.rest, when, scope, (), limit)

    async def told(self, when: TimeReference, scope: Scope) -> list[Source]:
        """What was said or shown, likest to the question first."""
        return await self._search(when.rest, when, scope, _EVIDENCE, _LIMIT)

    async def between(self, when: TimeReference, scope: Scope) -> list[Source]:
        """Everything stated or shown in the time asked about, in order."""
        if scope.stream is None:
            return []
        moments = await self._memory.timeline(scope.stream.id, when.start, when.end)
        end = scope.now if when.end is None else min(when.end, scope.now)
        return [
            s
            for s in self._sources(moments, scope.stream)
            if s.observation.role == "statement"
            and (when.start or 0.0) <= s.observation.end
            and s.observation.start <= end
            and _within(s, when)
        ]

    def where(self, source: Source, scope: Scope) -> Scope:
        """The scope as it is in the stream that the source is of."""
        own = [s for s in self._streams if s.id == source.observation.stream_id]
        if not own or (scope.stream is not None and own[0].id == scope.stream.id):
            return scope
        return replace(scope, stream=own[0], stream_id=own[0].id, now=own[0].seconds)

    def extent(self, when: TimeReference, scope: Scope) -> tuple[float, float]:
        """From when to when the question reaches, in seconds of the stream asked about."""
        if scope.stream is None:
            return 0.0, 0.0
        return _in_stream(when, scope.stream, scope.now)

    async def episodes(self, when: TimeReference, scope: Scope, level: int) -> list[Episode]:
        """The episodes in the time asked about, in order; of every stream where the time is one on
        the wall and no stream is asked about."""
        found: list[Episode] = []
        for stream, low, high in self._asked(when, scope):
            given = await self._memory.episodes(stream.id, low, high, level)
            found += [own for e in given for own in [of_time(e, low, high)] if own is not None]
        return sorted(found, key=lambda e: (e.wall_start + timedelta(seconds=e.start), e.id))

    def quoted(self, quote: Quote, episode: Episode) -> Source:
        """What an episode quotes, put right."""
        source = self._seen(quote.observation, episode.wall_start, id=quote.id)
        return replace(source, moment_id=quote.moment_id, episode=True)

    async def gave_up(self, analysis: Analysis, when: TimeReference, scope: Scope) -> bool:
        """Was there something then, or about that, which is no longer kept?"""
        text = " ".join(term.word for term in analysis.required)
        if not when.bounded and not text:
            return False
        for stream, low, high in self._asked(when, scope, everywhere=not when.bounded):
            if await self._memory.dropped(stream.id, low, high, text):
                return True
        return False

    def _asked(
        self, when: TimeReference, scope: Scope, everywhere: bool = False
    ) -> list[tuple[Stream, float, float]]:
        """The streams that a question is about, each from when to when."""
        on_wall = when.wall_start is not None or when.wall_end is not None
        streams = [scope.stream] if scope.stream is not None else []
        if scope.stream_id is None and (on_wall or everywhere):
            streams = self._streams
        found = []
        for stream in streams:
            now = scope.now if stream is scope.stream else stream.seconds
            low, high = _in_stream(when, stream, now)
            if low < high:
                found.append((stream, low, high))
        return found

    async def located(self, source: Source) -> Source:
        """The source with its moment, where it came in as a neighbour or from an episode."""
        if source.moment_id and not source.episode:
            return source
        seen = source.observation
        for moment in await self._memory.timeline(seen.stream_id, seen.start, seen.end):
            if source.moment_id == moment.id or any(o.id == seen.id for o in moment.observations):
                return replace(source, moment_id=moment.id, keyframe=moment.keyframe)
        return source

    async def _search(
        self, text: str, when: TimeReference, scope: Scope, kinds: tuple[Kind, ...], limit: int
    ) -> list[Source]:
        query = Query(
            text=text,
            limit=limit,
            stream_id=scope.stream_id,
            start=when.start,
            end=when.end,
            kinds=kinds,
            roles=("statement",),
            before=scope.before,
        )
        hits = await self._memory.search(query)
        return [
            s
            for s in map(source_of, hits)
            if s.observation.role == "statement" and _within(s, when)
        ]

    def _sources(self, moments: Sequence[Moment], stream: Stream) -> list[Source]:
        found = [
            self._seen(o, stream.wall_start, moment)
            for moment in moments
            for o in moment.observations
        ]
        return sorted(found, key=lambda s: s.observation.start)


def _strength(matcher: Matcher, term: Term, seen: Observation) -> float:
    """How surely the picture shows it: by its most probable fitting tag, else by its text."""
    by_tag = [matcher.sees(term, t.label) * (0.5 + t.probability / 2) for t in seen.tags]
    return max([*by_tag, 0.5 * matcher.sees(term, seen.text)])


def _in_stream(when: TimeReference, stream: Stream, now: float) -> tuple[float, float]:
    """The time asked about as seconds of the stream, as far as it has come."""
    low, high = when.start or 0.0, now if when.end is None else min(when.end, now)
    if when.wall_start is not None:
        low = max(low, (when.wall_start - stream.wall_start).total_seconds())
    if when.wall_end is not None:
        high = min(high, (when.wall_end - stream.wall_start).total_seconds())
    return low, high


def _within(source: Source, when: TimeReference) -> bool:
    return (when.wall_start is None or source.at >= when.wall_start) and (
        when.wall_end is None or source.at <= when.wall_end
    )
