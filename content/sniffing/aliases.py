"""Aliases of media types, as browsers, registries and older programs use them."""

from __future__ import annotations

_ALIASES = {
    "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "application/x-gzip": "application/gzip",
    "application/bzip2": "application/x-bzip2",
    "application/xz": "application/x-xz",
    "application/x-zstd": "application/zstd",
    "application/vnd.rar": "application/x-rar-compressed",
    "application/x-rar": "application/x-rar-compressed",
    "application/vnd.sqlite3": "application/x-sqlite3",
    "application/x-parquet": "application/vnd.apache.parquet",
    "application/x-hdf": "application/x-hdf5",
    "application/x-rtf": "application/rtf",
    "text/rtf": "application/rtf",
    "application/xml": "text/xml",
    "application/x-php": "text/x-php",
    "application/x-sh": "text/x-script",
    "application/vnd.microsoft.portable-executable": "application/x-msdownload",
    "application/x-dosexec": "application/x-msdownload",
    "application/x-java-archive": "application/java-archive",
    "application/vnd.ms-outlook-msg": "application/vnd.ms-outlook",
    "application/font-woff": "font/woff",
    "application/font-woff2": "font/woff2",
    "application/x-font-ttf": "font/ttf",
    "application/x-font-otf": "font/otf",
    "audio/wav": "audio/x-wav",
    "audio/wave": "audio/x-wav",
    "audio/vnd.wave": "audio/x-wav",
    "audio/flac": "audio/x-flac",
    "audio/aiff": "audio/x-aiff",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/aacp": "audio/aac",
    "audio/x-aac": "audio/aac",
    "audio/opus": "audio/ogg",
    "audio/vorbis": "audio/ogg",
    "audio/matroska": "audio/x-matroska",
    "video/matroska": "video/x-matroska",
    "video/mkv": "video/x-matroska",
    "video/x-m4v": "video/mp4",
    "video/x-f4v": "video/mp4",
    "video/avi": "video/x-msvideo",
    "video/msvideo": "video/x-msvideo",
    "video/vnd.avi": "video/x-msvideo",
    "video/x-dv": "video/dv",
    "video/x-ms-asf": "video/x-ms-wmv",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/apng": "image/png",
    "image/svg": "image/svg+xml",
    "image/tif": "image/tiff",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/ico": "image/x-icon",
    "image/vnd.microsoft.icon": "image/x-icon",
    "image/x-psd": "image/vnd.adobe.photoshop",
    "image/x-photoshop": "image/vnd.adobe.photoshop",
    "image/x-portable-pixmap": "image/x-portable-anymap",
    "image/x-portable-graymap": "image/x-portable-anymap",
    "image/x-portable-bitmap": "image/x-portable-anymap",
}


def canonical(media_type: str) -> str:
    """Return the name that `detect` uses for a media type; the name itself if it is no alias.

    >>> canonical("audio/wav")
    'audio/x-wav'
    """
    return _ALIASES.get(media_type, media_type)
