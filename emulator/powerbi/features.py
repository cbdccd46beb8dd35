"""Available features: of these, how much of its trial tokens the caller has used."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.embed_tokens import trials_spent
from emulator.powerbi.operation import Operation, Visit

TRIAL = "embedTrial"


def list_features(visit: Visit) -> Answer:
    """All of them, under `features` rather than `value`."""
    return answers.entity("availableFeatures", {"features": [_trial(visit)]})


def get_feature(visit: Visit) -> Answer:
    """One by name."""
    if visit.parameter("featureName") != TRIAL.lower():
        raise answers.not_found()
    return answers.entity("availableFeatures", _trial(visit))


def _trial(visit: Visit) -> Json:
    """`usage` is a percentage."""
    usage = min(100, 100 * trials_spent(visit) // max(1, visit.switch("trialTokens")))
    return {"name": TRIAL, "state": "Enabled", "extendedState": "Enabled", "additionalInfo": {"usage": usage}}


OPERATIONS = (
    Operation("GET", "/availableFeatures", list_features),
    Operation("GET", "/availableFeatures(featureName='{featureName}')", get_feature),
)
