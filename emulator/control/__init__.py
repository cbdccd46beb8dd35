"""How tests steer the emulated cloud: the control API, faults, odd tokens, and the list of requests."""
