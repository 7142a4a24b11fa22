"""Start Ferry and its parts on this machine, for `make run` and the tests. Not part of the service."""
