"""The gunicorn worker: reads requests, enforces time-outs, closes connections. No other package uses gunicorn."""
