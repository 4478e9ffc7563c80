"""Bars of sources that have no ticks, as rows that the core takes."""
