"""PNG and PDF from SVG, by a child process with little memory and time."""
