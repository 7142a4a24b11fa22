"""The sweep: periodic reconciliation of rows, storage and spool.

Any number of sweeps may run at once: locks only save repeated work. A transition decides what happens to a file.
"""
