"""What is being solved: data, terminal loss, regularisation and regime."""
