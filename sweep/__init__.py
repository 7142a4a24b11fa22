"""The sweep: the repeated look for files whose holder is gone, and for what they left behind.

Any number may run at once. Locks only keep them from doing the same work twice; what they do to a file is decided by
its row, as for everybody else.
"""
