"""Images, audio and video in containers, with the first bytes that real programs write."""

from __future__ import annotations

import pytest

from content.sniffing import detect
from tests.content.heads import NOISE, asf, box, ebml, frames, ftyp, movie, ogg

ID3 = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        pytest.param(ftyp(b"isom", b"isom", b"iso2", b"avc1", b"mp41"), "video/mp4", id="ffmpeg"),
        pytest.param(ftyp(b"iso5", b"iso5", b"dash"), "video/mp4", id="iso5 and dash"),
        pytest.param(ftyp(b"iso5", b"iso6", b"mp41"), "video/mp4", id="ffmpeg in fragments"),
        pytest.param(ftyp(b"dash", b"iso6"), "video/mp4", id="Shaka Packager"),
        pytest.param(ftyp(b"avc1"), "video/mp4", id="avc1"),
        pytest.param(ftyp(b"mp42", b"isom", b"mp42"), "video/mp4", id="Android, HandBrake"),
        pytest.param(ftyp(b"cmfc", b"iso8"), "video/mp4", id="CMAF"),
        pytest.param(ftyp(b"M4V ", b"M4V ", b"mp42"), "video/mp4", id="iTunes"),
        pytest.param(ftyp(b"XAVC", b"mp42"), "video/mp4", id="Sony"),
        pytest.param(ftyp(b"zzzz"), "video/mp4", id="a brand of tomorrow"),
        pytest.param(ftyp(b"piff", b"iso2"), "video/mp4", id="Smooth Streaming"),
        pytest.param(ftyp(b"M4A ", b"M4A ", b"mp42", b"isom"), "audio/mp4", id="Voice Memos"),
        pytest.param(ftyp(b"M4B ", b"mp42"), "audio/mp4", id="an audio book"),
        pytest.param(ftyp(b"qt  ", b"qt  "), "video/quicktime", id="iPhone"),
        pytest.param(ftyp(b"3gp4", b"isom", b"3gp4"), "video/3gpp", id="3gp"),
        pytest.param(ftyp(b"3g2a", b"isom"), "video/3gpp2", id="3g2"),
        pytest.param(ftyp(b"heic", b"mif1", b"heic"), "image/heic", id="iPhone photo"),
        pytest.param(ftyp(b"mif1", b"mif1", b"heic", b"miaf"), "image/heic", id="mif1 with heic"),
        pytest.param(ftyp(b"mif1", b"mif1", b"avif", b"miaf"), "image/avif", id="mif1 with avif"),
        pytest.param(ftyp(b"mif1", b"mif1"), "image/heif", id="mif1 alone"),
        pytest.param(ftyp(b"heix", b"mif1"), "image/heic", id="ten bits"),
        pytest.param(ftyp(b"hevc", b"msf1"), "image/heic-sequence", id="burst"),
        pytest.param(ftyp(b"avif", b"avif", b"mif1"), "image/avif", id="libavif"),
        pytest.param(ftyp(b"avis", b"avis", b"msf1"), "image/avif", id="animated avif"),
        pytest.param(ftyp(b"crx ", b"crx ", b"isom"), "image/x-canon-cr3", id="Canon raw"),
        pytest.param(box(b"jP  ", b"\r\n\x87\n") + ftyp(b"jp2 ", b"jp2 "), "image/jp2", id="JPEG 2000"),
        pytest.param(box(b"JXL ", b"\r\n\x87\n") + ftyp(b"jxl ", b"jxl "), "image/jxl", id="JPEG XL"),
        pytest.param(box(b"ftyp", b"iso5" + bytes(4)) + movie(b"soun"), "audio/mp4", id="Safari records voice"),
        pytest.param(
            box(b"ftyp", b"iso5" + bytes(4)) + movie(b"vide", b"soun"), "video/mp4", id="Safari records a film"
        ),
        pytest.param(box(b"moov", bytes(60)), "video/quicktime", id="old mov, moov first"),
        pytest.param(b"\0\1\0\0mdat" + NOISE, "video/quicktime", id="old mov, mdat first"),
        pytest.param(b"\0\0\0\1mdat\0\0\0\1\0\0\0\0" + NOISE, "video/quicktime", id="large mdat first"),
        pytest.param(box(b"wide") + b"\0\1\0\0mdat" + NOISE, "video/quicktime", id="wide first"),
        pytest.param(box(b"skip", bytes(9)) + movie(b"vide"), "video/quicktime", id="skip first"),
        pytest.param(box(b"free") + ftyp(b"isom"), "video/mp4", id="free before ftyp"),
        pytest.param(box(b"styp", b"msdh" + bytes(4)) + box(b"sidx", bytes(40)), "video/iso.segment", id="a segment"),
    ],
)
def test_files_of_boxes(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        pytest.param(ebml(b"matroska", b"V_MPEG4/ISO/AVC", b"A_AAC"), "video/x-matroska", id="mkv"),
        pytest.param(ebml(b"webm", b"V_VP9", b"A_OPUS"), "video/webm", id="webm"),
        pytest.param(ebml(b"webm\0\0", b"V_VP8"), "video/webm", id="padded"),
        pytest.param(ebml(b"webm", b"A_OPUS"), "audio/webm", id="Chrome records voice"),
        pytest.param(ebml(b"matroska", b"A_FLAC"), "audio/x-matroska", id="mka"),
        pytest.param(ebml(b"webm"), "video/webm", id="no tracks in sight"),
        pytest.param(ogg(b"\1vorbis"), "audio/ogg", id="Vorbis"),
        pytest.param(ogg(b"OpusHead\1\2"), "audio/ogg", id="Firefox records voice"),
        pytest.param(ogg(b"\x7fFLAC\1"), "audio/ogg", id="FLAC in Ogg"),
        pytest.param(ogg(b"\x80theora\3", b"\1vorbis"), "video/ogg", id="ffmpeg ogv"),
        pytest.param(ogg(b"fishead\0", b"\1vorbis", b"\x80theora\3"), "video/ogg", id="skeleton first"),
        pytest.param(asf("sound"), "audio/x-ms-wma", id="wma"),
        pytest.param(asf("sound", "pictures"), "video/x-ms-wmv", id="wmv"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt " + NOISE, "audio/x-wav", id="wav"),
        pytest.param(b"RF64\xff\xff\xff\xffWAVEds64" + NOISE, "audio/x-wav", id="wav over 4 GB"),
        pytest.param(b"RIFF\x24\0\0\0AVI LIST" + NOISE, "video/x-msvideo", id="avi"),
        pytest.param(b"RIFF\x24\0\0\0WEBPVP8X" + NOISE, "image/webp", id="animated webp"),
        pytest.param(b"FORM\0\0\1\0AIFFCOMM" + NOISE, "audio/x-aiff", id="aiff"),
        pytest.param(b"FORM\0\0\1\0AIFCFVER" + NOISE, "audio/x-aiff", id="aifc"),
        pytest.param(b"AT&TFORM\0\0\1\0DJVMDIRM" + NOISE, "image/vnd.djvu", id="djvu"),
    ],
)
def test_other_containers(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        pytest.param(ID3 + NOISE, "audio/mpeg", id="mp3 with a tag"),
        pytest.param(b"\xff\xfb\x90\x64" + NOISE, "audio/mpeg", id="MPEG 1"),
        pytest.param(b"\xff\xf3\x40\xc4" + NOISE, "audio/mpeg", id="MPEG 2"),
        pytest.param(b"\xff\xf2\x40\xc4" + NOISE, "audio/mpeg", id="MPEG 2 with CRC"),
        pytest.param(frames(b"\xff\xfa\x90\x64", 417), "audio/mpeg", id="MPEG 1 with CRC"),
        pytest.param(frames(b"\xff\xe3\x18\xc4", 72), "audio/mpeg", id="MPEG 2.5"),
        pytest.param(frames(b"\xff\xfd\x84\x04", 384), "audio/mpeg", id="layer II"),
        pytest.param(b"\xff\xf1\x50\x80\x02\x1f\xfc" + NOISE, "audio/aac", id="ADTS"),
        pytest.param(b"\xff\xf9\x50\x80\x02\x1f\xfc" + NOISE, "audio/aac", id="ADTS of MPEG 2"),
        pytest.param(ID3 + b"\xff\xf1\x50\x80\x02\x1f\xfc" + NOISE, "audio/aac", id="HLS sound"),
        pytest.param(ID3 + b"fLaC\0\0\0\x22" + NOISE, "audio/x-flac", id="FLAC behind a tag"),
        pytest.param(b"fLaC\0\0\0\x22" + NOISE, "audio/x-flac", id="FLAC"),
        pytest.param(b"#!AMR\n\x3c" + NOISE, "audio/amr", id="AMR"),
        pytest.param(b"#!AMR-WB\n\x44" + NOISE, "audio/amr-wb", id="AMR wide band"),
        pytest.param(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk", "audio/midi", id="MIDI"),
        pytest.param(b"caff\0\1\0\0desc" + NOISE, "audio/x-caf", id="CAF"),
        pytest.param(frames(b"\x47\x40\x11\x10", 188), "video/mp2t", id="transport stream"),
        pytest.param(frames(b"\0\0\0\0\x47\x40\x11\x10", 192), "video/mp2t", id="AVCHD"),
        pytest.param(b"\0\0\1\xba\x44" + NOISE, "video/mpeg", id="program stream"),
        pytest.param(b"\0\0\1\xb3\x14" + NOISE, "video/mpeg", id="elementary stream"),
        pytest.param(b"FLV\1\5\0\0\0\x09" + NOISE, "video/x-flv", id="flv"),
    ],
)
def test_streams_of_frames(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    "start", [b"\xff\xfa\x90\x64", b"\xff\xfd\x84\x04", b"\xff\xf0\x50\x80", b"\xff\xfb\xff\xff", b"G@\x11"]
)
def test_a_single_sync_word_proves_nothing(start: bytes) -> None:
    assert detect(start + NOISE) == "application/octet-stream"
