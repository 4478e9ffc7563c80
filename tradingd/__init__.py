"""A headless, event-sourced trading daemon whose every decision can be re-executed from its journal."""

__version__ = "0.1.0"
