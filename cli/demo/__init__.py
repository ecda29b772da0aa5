"""``make demo``: the whole service on real messages, over HTTP and from the shell, on ports of its own."""
