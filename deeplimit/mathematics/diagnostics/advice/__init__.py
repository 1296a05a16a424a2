"""The depth that a wanted error needs."""
