"""A hospital's own code, as several tests define it."""

KNEE = """
[[code]]
code = "OURS//KNEE"
name = "Knee score"
kind = "assessment"
modality = "assessments"
domain = "walking"
unit = "{score}"
low = 0
high = 48
better = "higher"
step = 1
source = "our manual"
"""
