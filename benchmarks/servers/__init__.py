"""Processes under load. Each speaks `protocol` on its standard input and output."""
