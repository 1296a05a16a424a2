"""The two discretised objectives, in increment coordinates, and the transfers between them."""
