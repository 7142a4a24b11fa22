"""API keys, scopes, and what anonymous clients may do."""
