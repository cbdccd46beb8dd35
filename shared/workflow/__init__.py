"""Journalled steps on a table and a queue: work goes on after any crash, or is taken back when it can't be finished.

In the order of reading:

records     what is kept: a head for each workflow, a row for each step, a row for each project
steps       what a capability brings: steps that look, decide, act and take back
engine      accept, cancel, retry; go on with one workflow (from the queue); the sweep; poison; the end
runner      one invocation of one workflow, from its claim until it waits or ends
attempts    one step forward or back: look, announce, act, record
hold        what a runner writes, only as long as it holds the workflow
places      one workflow of a project at a time, and what was made for whom
store       where: tables and container · timing: how long things may take · ports, triggers: the world around it
"""
