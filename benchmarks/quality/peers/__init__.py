"""The contenders, each a script that runs where only its own packages are."""
