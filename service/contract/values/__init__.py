"""Values of every specification and answer: numbers, texts, arrays, limits, and errors that point at a field."""
