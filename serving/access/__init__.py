"""Who may request what: tokens, clients and issuers."""
