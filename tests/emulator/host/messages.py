"""What the tests of queue triggers have in common: an app that tells what it gets, and may be held in its work."""

from __future__ import annotations

from pathlib import Path

PLAIN = {"messageEncoding": "none", "visibilityTimeout": "00:00:00", "maxPollingInterval": "00:00:00.2"}


def recorder(body: str, queue: str = "%QUEUE%", name: str = "record") -> str:
    """A function that tells what it gets, and then does what `body` says."""
    return f'''
@app.queue_trigger("message", "{queue}", "AzureWebJobsStorage")
def {name}(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    logging.info("got <%s> for the %s. time, id %s", text, message.dequeue_count, message.id)
    {body}
'''


HOLDING = """
def held_until(name):
    deadline = time.monotonic() + 20
    while not pathlib.Path(os.environ["SIGNALS"], name).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


class Signals:
    """Lets functions go that wait for a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.settings = {"SIGNALS": str(folder)}

    def release(self, name: str) -> None:
        (self._folder / name).touch()
