"""Model servers over several nodes, on LeaderWorkerSet."""
