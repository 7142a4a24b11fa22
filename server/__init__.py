"""How a request comes out of its connection, and how the connection ends. Nothing else knows gunicorn."""
