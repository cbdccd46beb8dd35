"""Write what is generated: `python -m shared.openapi`, which is `make schemas`."""

from __future__ import annotations

from shared.openapi.files import generated

if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
