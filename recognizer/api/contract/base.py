"""What all models of the contract share."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

EXAMPLES = json.loads((Path(__file__).parent / "examples.json").read_text())


class Contract(BaseModel):
    """A model whose schema has its example, and says nothing that is only Python's."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Leave out titles made of names, and defaults that mean "not given"."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
            if field.get("default", "") is None:
                del field["default"]
        if cls.__name__ in EXAMPLES:
            schema["examples"] = [EXAMPLES[cls.__name__]]
        return schema
