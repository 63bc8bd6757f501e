"""Messages on how a run ended, to a program or a webhook."""
