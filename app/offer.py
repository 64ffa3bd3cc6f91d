"""An SDP offer: checked in words for what WHIP asks of it (RFC 9725, section 4.4), and made whole.

aiortc reads every section for itself, while RFC 9429 (section 5.2.1) has a sender write the ICE
credentials, the fingerprint and what else a bundle shares only once, in its first section. aiortc
agrees to baseline H.264 alone, though its decoder, FFmpeg's, takes what any encoder makes. And as a
DTLS client it speaks with ECDSA certificates alone, where GStreamer's is RSA: who leaves the roles to
us becomes the client.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from aiortc.codecs import CODECS
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS as DIGESTS
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters
from aiortc.sdp import SessionDescription

from app.errors import BadOffer

MOST_SECTIONS = 8  # m-lines: each costs sockets
SHARED = ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux")
SENDING = ("sendonly", "sendrecv", None)  # a section that does not say is sendrecv
HEARING = ("sendrecv", "recvonly")
READ_AS = (
    (r"(?m)^a=setup:actpass\b", "a=setup:active"),
    # Attributes of attributes, which are good SDP, and which aiortc's parser takes for bad.
    (r"(?m)^(a=extmap:\S+ \S+) .*$", r"\1"),
    (r"(?m)^a=ssrc:\d+ [^:\s]+\s*$\n?", ""),
)
TAKEN = ("audio", "video", "application")

# Constrained baseline, baseline, main, high and constrained high; single packets and several.
H264 = [(profile, mode) for profile in ("42e0", "4200", "4d00", "6400", "640c") for mode in "10"]
FEEDBACK = [RTCRtcpFeedback("nack"), RTCRtcpFeedback("nack", "pli"), RTCRtcpFeedback("goog-remb")]


def _h264(payload_type: int, profile: str, mode: str) -> RTCRtpCodecParameters:
    parameters: dict[str, int | str | None] = {
        "level-asymmetry-allowed": "1",
        "packetization-mode": mode,
        "profile-level-id": f"{profile}1f",
    }
    return RTCRtpCodecParameters(
        "video/H264", 90_000, None, payload_type, list(FEEDBACK), parameters
    )


# After its own, which keep the payload types that aiortc gave them.
CODECS["video"] += [_h264(number, *one) for number, one in enumerate(H264, 103)]


@dataclass(frozen=True, slots=True)
class Offer:
    """`sdp` is what aiortc takes; `ear` the mid of the audio section that would take a voice."""

    sdp: str
    ear: str | None


def read(text: str) -> Offer:
    """The offer that was sent. Raises BadOffer."""
    if not text.lstrip().startswith("v=0"):
        raise BadOffer("the body is not SDP: it does not begin with v=0")
    whole = _whole(text)
    try:
        described = SessionDescription.parse(whole)
    except Exception as error:  # the parser raises ValueError, IndexError, KeyError and more
        raise BadOffer(f"the SDP is malformed: {str(error) or type(error).__name__}") from error
    _check(described.media)
    ears = [one for one in described.media if one.kind == "audio" and one.direction in HEARING]
    return Offer(whole, ears[0].rtp.muxId if ears else None)


def _check(sections: list[Any]) -> None:
    if len(sections) > MOST_SECTIONS:
        raise BadOffer(f"the offer has more than {MOST_SECTIONS} media sections")
    for one in sections:
        if one.kind not in TAKEN:
            raise BadOffer(f"a section of {one.kind!r} cannot be taken: send audio and video")
        if one.dtls is None or not any(
            f.algorithm.lower() in DIGESTS for f in one.dtls.fingerprints
        ):
            raise BadOffer(
                f"a section has no DTLS fingerprint ({', '.join(DIGESTS)}) with its a=setup"
            )
        if one.kind in CODECS:
            _check_codecs(one)
    sending = Counter(one.kind for one in sections if one.direction in SENDING)
    if not sending["audio"] + sending["video"]:
        raise BadOffer("the offer sends neither audio nor video")
    for kind in ("audio", "video"):
        if sending[kind] > 1:
            raise BadOffer(f"the offer sends {sending[kind]} {kind} tracks: a session takes one")


def _check_codecs(section: Any) -> None:
    ours = dict.fromkeys(one.name for one in CODECS[section.kind] if one.name != "rtx")
    given = dict.fromkeys(one.name for one in section.rtp.codecs)
    if not {name.lower() for name in ours} & {name.lower() for name in given}:
        raise BadOffer(
            f"the offer's {section.kind} is {', '.join(given) or 'of no codec'}: "
            f"{', '.join(ours)} can be taken"
        )


def _whole(text: str) -> str:
    """The offer with what a bundle shares written in each of its sections, its sender being the DTLS
    client where it may be."""
    for written, read_as in READ_AS:
        text = re.sub(written, read_as, text)
    head, *sections = [part.splitlines() for part in re.split(r"(?m)^(?=m=)", text.lstrip())]
    mids = next((line.split()[1:] for line in head if line.startswith("a=group:BUNDLE ")), [])
    tagged = next((one for one in sections if mids and _mid(one) == mids[0]), [])
    for section in sections:
        if section is not tagged and _mid(section) in mids:
            section += [
                line
                for name in SHARED
                if not _lines(section, name)
                for line in _lines(tagged, name)
            ]
    return "".join(f"{line}\r\n" for part in (head, *sections) for line in part)


def _mid(section: list[str]) -> str:
    return next((line.partition(":")[2] for line in _lines(section, "mid")), "")


def _lines(section: list[str], name: str) -> list[str]:
    return [line for line in section if line.partition(":")[0] == f"a={name}"]
