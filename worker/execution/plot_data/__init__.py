"""The numbers that plots are drawn from, one module a plot. One that does not apply raises `Withheld` with a reason."""
