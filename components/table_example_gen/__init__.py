"""InteractionsGen, CandidatesGen and QueriesGen: turn tables into flat examples with string ids."""
