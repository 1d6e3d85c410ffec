"""From sequences to a registered candidate: models, fitting, comparison, registry."""
