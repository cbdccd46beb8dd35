"""Journalled steps on a table and a queue: work goes on after any crash, or is taken back when it can't be finished.

`records` says what is kept, `steps` what a capability brings, `store` where it is kept, `engine` how it is driven.
"""
