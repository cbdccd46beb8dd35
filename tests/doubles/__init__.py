"""Stand-ins that a test holds in its hands: the clock, storage, the host with its queue, and taps that interfere.

They are used where the real thing can't run, can't be made to fail at a chosen moment, or would take hours.
"""
