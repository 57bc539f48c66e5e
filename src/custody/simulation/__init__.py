"""A generated organisation: its life, as the logs of many systems in their own file formats, and what is true of it.

Everything follows from a seed: no clock, no environment, no chance of the machine's own.
"""
