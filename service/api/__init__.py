"""HTTP: the application, its routes, what they share, and the forms that answers take."""
