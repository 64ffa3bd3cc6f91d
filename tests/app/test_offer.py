"""Offers as senders write them, in the letter of the RFCs and beside it."""

from __future__ import annotations

import re

import pytest

from app.errors import BadOffer
from app.offer import read

pytestmark = pytest.mark.unit

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)

# As RFC 9725 and RFC 9429 have it: what the bundle shares stands in its first section alone.
OFFER = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE mic cam
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:{FINGERPRINT}
a=setup:actpass
a=mid:mic
a=sendonly
a=rtcp-mux
a=rtcp-mux-only
a=rtpmap:111 opus/48000/2
m=video 0 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:cam
a=bundle-only
a=sendonly
a=rtpmap:96 VP8/90000
"""


def refusal(offer: str) -> str:
    with pytest.raises(BadOffer) as refused:
        read(offer)
    return str(refused.value)


def test_what_a_bundle_shares_is_written_once() -> None:
    _, _, video = re.split("(?m)^(?=m=)", read(OFFER).sdp)
    for line in ("a=ice-ufrag:abcd", f"a=fingerprint:{FINGERPRINT}", "a=setup:active"):
        assert video.count(line) == 1
    assert "a=rtcp-mux\r\n" in video


def test_sections_outside_the_bundle_share_nothing() -> None:
    assert "fingerprint" in refusal(OFFER.replace("BUNDLE mic cam", "BUNDLE mic"))
    assert "fingerprint" in refusal(OFFER.replace("a=group:BUNDLE mic cam\n", ""))


def test_a_section_keeps_what_it_says_itself() -> None:
    own = OFFER + "a=ice-ufrag:own\na=ice-pwd:own\na=setup:active\n"
    assert read(own).sdp.count("a=ice-ufrag:abcd") == 1


@pytest.mark.parametrize(
    ("offered", "taken"), [("actpass", "active"), ("active", "active"), ("passive", "passive")]
)
def test_who_may_be_the_dtls_client_is_it(offered: str, taken: str) -> None:
    """aiortc, being it, fails with a certificate that is RSA, like GStreamer's."""
    assert read(OFFER.replace("actpass", offered)).sdp.count(f"a=setup:{taken}\r\n") == 2


def test_attributes_of_attributes_are_no_fault() -> None:
    more = "a=extmap:3 urn:ietf:params:rtp-hdrext:toffset with more\na=ssrc:42 inert\na=ssrc:42 cname:x\n"
    whole = read(OFFER + more).sdp
    assert "a=extmap:3 urn:ietf:params:rtp-hdrext:toffset\r\na=ssrc:42 cname:x\r\n" in whole


def test_a_fingerprint_that_cannot_be_checked_is_refused() -> None:
    assert "sha-256" in refusal(OFFER.replace("sha-256", "md5"))
    assert "a=setup" in refusal(OFFER.replace("a=setup:actpass\n", ""))
    assert read(OFFER.replace("sha-256", "SHA-256")).sdp


def test_two_cameras_or_two_microphones_are_refused() -> None:
    second = "\n".join(OFFER.splitlines()[16:]).replace("cam", "screen")
    two = OFFER.replace("mic cam", "mic cam screen") + second + "\n"
    assert refusal(two) == "the offer sends 2 video tracks: a session takes one"
    assert read(two.replace("a=sendonly\na=rtpmap:96", "a=recvonly\na=rtpmap:96", 1)).sdp


def test_codecs_that_cannot_be_taken_are_named() -> None:
    said = refusal(OFFER.replace("VP8", "AV1"))
    assert "video is AV1" in said
    assert "VP8, H264 can be taken" in said


def test_other_kinds_of_sections_are_refused() -> None:
    text = OFFER + "m=text 9 UDP/TLS/RTP/SAVPF 98\na=mid:words\na=rtpmap:98 t140/1000\n"
    assert "'text'" in refusal(text.replace("mic cam", "mic cam words"))


@pytest.mark.parametrize(
    ("direction", "ear"), [("sendonly", None), ("sendrecv", "mic"), ("recvonly", "mic")]
)
def test_an_ear_is_an_audio_section_that_receives(direction: str, ear: str | None) -> None:
    assert read(OFFER.replace("a=sendonly", f"a={direction}", 1)).ear == ear
