"""Fuzzing of everything that meets the network, guided by coverage (atheris).

target      what a target is, and what an input must not do
oracle      one input, judged
course      inputs that are sequences of steps, and how those are changed
clock       an event loop whose time flies
targets/    one file per target
worker      one target under atheris, in a process of its own
__main__    the campaign: every target, some at once, and the table

`make fuzz` runs the campaign. What was found once lies in tests/vectors/fuzz/ and is replayed by
`test_vectors.py`, which needs no atheris.
"""
