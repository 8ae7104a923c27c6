"""Do the tests notice? One small change at a time, in a copy of the code; the tests of its room.

operators   what is changed in a syntax tree
coverage    which test executes which statement
trial       the tests of a room on one mutant, in a process of its own
check       some mutants at a time, and what survived
command     `tools/mutants`: the rooms, and which mutants
"""
