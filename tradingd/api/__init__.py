"""The local control API: an operator's commands over a unix socket, one JSON object per line."""
