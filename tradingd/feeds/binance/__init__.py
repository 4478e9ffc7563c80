"""Binance spot and USD-M futures: the frames of their public streams."""
