"""Connections of the API's clients: how many there are at once, and how long each may take to say what it wants."""
