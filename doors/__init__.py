"""The doors beside routes.py, and what stands at every door: who asks, for what, and how they are answered."""
