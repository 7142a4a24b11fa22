"""Limits of clients and owners: storage quota, request rate, concurrent transfers, spool space."""
