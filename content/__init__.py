"""Rules about filenames, media types and text. No HTTP, no I/O."""
