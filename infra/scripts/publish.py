"""Publishes a package as it is: nothing is built in Azure, so that each environment runs the same bytes.

    python infra/scripts/publish.py package.zip

Needs the Azure CLI, signed in as somebody who may publish (Contributor), and the deployment's output PUBLISH_URL. With
private networking run it where the network can be reached.

`az functionapp deployment source config-zip` would do neither: for Python on Flex Consumption it always has Azure
resolve the requirements anew, and then it asks the host with a key how it is, which platform authentication refuses.
Address and states are those that the CLI itself uses (its command module appservice).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from steps import Failed, NotYet, call, output, patiently, run, say, token

SUCCEEDED = 4
FAILED = {-1: "cancelled", 3: "failed", 5: "cancelled by another deployment", 6: "succeeded in part"}


def publish(package: Path) -> None:
    """Hands the package over and waits until it is in place. Handing it over twice changes nothing."""
    place, bearer, content = output("PUBLISH_URL"), token(), package.read_bytes()
    deployment = patiently(partial(call, f"{place}/api/publish?RemoteBuild=false&Deployer=publish.py", bearer, content))
    say(f"Handed over {package.name}, {len(content):,} bytes: deployment {deployment}")
    patiently(partial(_in_place, f"{place}/api/deployments/{deployment}", bearer))
    say("Published")


def _in_place(url: str, bearer: str) -> None:
    status = call(url, bearer).get("status")
    if status in FAILED:
        raise Failed(f"The deployment {FAILED[status]}; {url}/log says more")
    if status != SUCCEEDED:
        raise NotYet(f"the deployment is in state {status}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        say(__doc__ or "")
        sys.exit(2)
    sys.exit(run(partial(publish, Path(sys.argv[1]))))
