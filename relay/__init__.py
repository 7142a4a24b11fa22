"""The relay: bytes of spooled files over Redis, from the web process to a worker."""
