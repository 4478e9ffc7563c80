"""What auditors ask of a journal: re-execution, the state at a point, what led to an order, what if."""
