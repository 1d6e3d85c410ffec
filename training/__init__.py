"""From sequences to a registered candidate: models, losses, calibration, fit, benchmark."""
