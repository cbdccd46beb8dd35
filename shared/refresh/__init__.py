"""Refreshes that landing data causes: as few as possible, each landed file covered, watched to the end.

A file that lands is a row (a *landing*) and calls for a *look* at its dataset. A look reads the dataset's *head*, the
landings and Power BI's history, decides, acts once, and calls for the next look. A *run* is what callers see: from the
first landing or request until its refresh, or the last retry, has ended. In the order of reading:

what comes in       triggers (queues, timer) · events (Event Grid's messages) · service, requests (HTTP)
refresh.yaml        documents · document_faults · patterns (paths) · rules (which datasets a file concerns)
what is kept        records · landings · store (where: tables and container)
the engine          engine (land, look, sweep) · arrivals (a file lands) · manual (a caller starts, cancels)
                    look (one look at a dataset) · start (keys, claim, POST, request id) · watch (until its end)
                    context (what all of these work with) · ports (what they ask of others)
what is decided     decision (start, watch or wait) · extent (which tables and partitions) · history (what its entries
(pure)              say) · verdicts (what became of ours) · endings (what follows an end: retry, pause) · failures (why,
                    and what to do) · pace (when to look again) · timing (how long things may take)
what others see     runs (changes of a run) · run_document · outside (audit and events)
"""
