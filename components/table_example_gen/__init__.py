"""InteractionsGen, CandidatesGen, QueriesGen: tables in, flat examples out, ids as strings."""
