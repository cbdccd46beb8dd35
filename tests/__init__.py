"""The tests: each folder holds one kind, and its helpers beside them say in their first line what they provide.

    unit        pure rules as tables and properties, one file a subject
    storage     tables, queues, blobs and what stands on them: doubles and the real service keep the same rules
    workflow    the engine under provisioning: each rule, a crash at every call, an adversary (harness, world, moves)
    refresh     the refresh engine, in the same way (harness, world, moves)
    e2e         the app with production code against the emulated cloud: in this process (stage), or hosted
    contract    what we send and what the emulator answers, held to Microsoft's description of Power BI
    emulator    the emulated cloud itself, against what is documented of the real one
    worker      the app in Microsoft's own worker process
    peers       clients that others wrote, against the emulator
    browser     reports embedded in a real browser
    infra       Bicep, queries and alerts
    watching    how long messages wait
    benchmarks  figures; `make bench`

For all of them: `cloud` runs the emulator, `azurite` real storage, `answering` a service with one answer; `doubles` has
clock, storage, host and crashes in memory; `seeded` names the emulated organisation's things; `waiting` polls.
"""
