"""The three ways to upload. They differ only in who calls `file.store`, and when."""
