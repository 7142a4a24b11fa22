"""The parts around Ferry, started on this machine: for `make run` and for the tests. Not part of the service."""
