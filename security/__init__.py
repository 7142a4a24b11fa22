"""HTTP hardening: cross-site requests, trusted hosts, response headers."""
