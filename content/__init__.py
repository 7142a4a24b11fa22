"""Rules about file names, types and texts. No HTTP, no I/O."""
