"""Object storage. The other packages use only the interface of `storage.base`, and `storage.registry` at the start."""

from storage.base import Check, Stat, Storage, Stream

__all__ = ["Check", "Stat", "Storage", "Stream"]
