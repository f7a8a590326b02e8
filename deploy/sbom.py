"""Write what the site is made of as a bill of materials (CycloneDX 1.6, JSON).

python deploy/sbom.py                     # all of it, to standard output
python deploy/sbom.py serve > sbom.json   # what serving takes alone

From the pins of requirements/*.txt, which are what is installed, with their hashes.
"""

import re
import sys
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
LAYERS = ("serve", "train", "dev")
_PIN = re.compile(r"^([a-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;]+)", re.M)


def components(layer: str) -> list[Component]:
    """Return what one layer pins."""
    text = (REQUIREMENTS / f"{layer}.txt").read_text()
    pins = list(_PIN.finditer(text))
    ends = [pin.start() for pin in pins[1:]] + [len(text)]
    return [
        _component(pin[1], pin[2], text[pin.end() : end])
        for pin, end in zip(pins, ends, strict=True)
    ]


def _component(name: str, version: str, rest: str) -> Component:
    package = PackageURL("pypi", None, name, version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=package,
        bom_ref=package.to_string(),
        hashes=[
            HashType(alg=HashAlgorithm.SHA_256, content=digest)
            for digest in re.findall(r"--hash=sha256:(\w+)", rest)
        ],
    )


def main() -> None:
    """Print it."""
    layers = sys.argv[1:] or LAYERS
    if unknown := set(layers) - set(LAYERS):
        sys.exit(f"There is no layer {', '.join(unknown)}: name {', '.join(LAYERS)}.")
    bom = Bom()
    site = Component(
        type=ComponentType.APPLICATION, name="digitsite", bom_ref="digitsite"
    )
    bom.metadata.component = site
    parts = {part.purl: part for layer in layers for part in components(layer)}
    for part in parts.values():
        bom.components.add(part)
    bom.register_dependency(site, parts.values())
    writer = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6)
    sys.stdout.write(writer.output_as_string(indent=1) + "\n")


if __name__ == "__main__":
    main()
