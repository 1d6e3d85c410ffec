"""The ledger: audits, approvals and promotions in an append-only trail, and the gate."""
