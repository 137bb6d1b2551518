"""Payloads as what a function's annotations say: dataclasses, TypedDict, pydantic, msgspec, single values."""
