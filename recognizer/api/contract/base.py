"""The base class of all request and response models."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

EXAMPLES = json.loads((Path(__file__).parent / "examples.json").read_text())


class Contract(BaseModel):
    """A model whose JSON schema has an example and no Python-only details."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Remove generated titles, and null defaults that mean "not given"."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
            if field.get("default", "") is None:
                del field["default"]
        if cls.__name__ in EXAMPLES:
            schema["examples"] = [EXAMPLES[cls.__name__]]
        return schema
