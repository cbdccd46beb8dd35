"""The Microsoft cloud on one machine, for development and tests; never deployed. `python -m emulator` starts it.

what runs      __main__       the emulator        demo/    `make demo`: everything, played once
               toolchain      installs Azurite    shell    what a shell needs to call the running app
services       entra/         sign-in, tokens, their keys, the directory
               identity       the managed identity's endpoint
               keyvault/      Key Vault
               powerbi/       Power BI's REST API
               embed_page/    what stands behind an embed URL
               storage/       Azurite, what a deployment creates in it, Event Grid for the landing zone
the app        host/          runs function_app.py as the Functions host does, in a process of its own
around them    network/       the proxy under the real host names, certificates, the HTTP server
               control/       how tests steer: the control API, faults, odd tokens, the list of requests
               launch/        starts and ends it all, and writes environment.json
words of all   http           calls, answers, routes, services
               seed, clouds   the organisation that is played; the national clouds and their hosts
               clock, durations, merge, processes
"""
