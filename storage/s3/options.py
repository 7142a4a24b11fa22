"""How requests to one S3 storage are formed: addressing, region, checksum and encryption."""

from __future__ import annotations

from dataclasses import dataclass

SSE, SSE_KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"


@dataclass(frozen=True)
class S3Options:
    """Settings that differ from one S3 server to another."""

    addressing: str = "auto"
    """S3_ADDRESSING: auto, path or virtual."""
    region: str = ""
    """Empty: boto3's own."""
    ignored_region: str = ""
    """AWS_REGION, if AWS_DEFAULT_REGION overrides it: boto3 reads that one, most other programs AWS_REGION."""
    checksum: str = "crc32"
    """S3_CHECKSUM: crc32, md5 or none."""
    encryption: str = ""
    """S3_SSE"""
    kms_key: str = ""
    """S3_SSE_KMS_KEY_ID"""

    def style(self, bucket: str, endpoint: str) -> str:
        """Return `path` or `virtual`. As a host, a bucket name with a dot matches no wildcard certificate."""
        if self.addressing != "auto":
            return self.addressing
        return "path" if endpoint or "." in bucket else "virtual"

    @property
    def encryption_headers(self) -> dict[str, str]:
        """The headers of a PUT or of CreateMultipartUpload that request encryption."""
        return ({SSE: self.encryption} if self.encryption else {}) | ({SSE_KEY: self.kms_key} if self.kms_key else {})
