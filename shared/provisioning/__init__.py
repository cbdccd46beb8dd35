"""Provisioning: a project's workspaces as they were asked for, within the policy, step by step and undoable."""
