"""The shell around the core: feeds in, durable commits out, effects after them."""
