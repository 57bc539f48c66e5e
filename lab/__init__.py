"""The laboratory: real servers on loopback, a scripted life of workloads, their logs, and the truth of what was done.

``python -m lab`` starts what it can get, plays the scenes, keeps logs and truth, and says what could not be had. It is
a tool of the repository, not a part of the package: nothing under src imports it.
"""
