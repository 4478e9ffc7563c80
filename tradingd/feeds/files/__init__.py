"""Tick files of any vendor, by a mapping of their columns."""
