"""Change plans in the ledger: registered, approved by two people, in force until the next one."""
