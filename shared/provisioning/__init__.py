"""Provisioning: a project's workspaces as they were asked for, within the policy, step by step and undoable.

asked           request          the forms that may be sent
                policy, naming   the operator's policy.yaml, and its rule for names
                rules            what of a request the policy does not allow
                from_queue       requests that come as messages
accepted        service          submit, get, list, cancel, retry: who may ask for what
                orders           what was accepted, environment by environment, with what the policy decided
carried out     kinds            the operations for the workflow engine: plan, ownership, registry
                steps/           one file for each step: look, decide, act, and the same back
                planner          from members that are wanted and found to changes
                principals       who may be given access, and with which roles
                outside          the audit and the events
told            status_document  what a journal says, in the caller's words
                dry_run          what would be done
                answers          the forms of both
"""
