"""The one vocabulary of both sides: standard library and pydantic only."""
