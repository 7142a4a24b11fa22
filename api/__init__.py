"""The HTTP API beside the upload endpoints: files, downloads, archives, events, documentation."""
