"""The command `ferry`."""
