"""From inertial signals at a wrist to sets and repetitions of exercise.

`recordings` reads files, `motion` brings signals to one rate, `frame` to one side, `sets` finds
sets in a day, `rhythm` the period of a set and `repetitions` its repetitions, `measures` says how
each was done, `windows` and `kernels` give a recogniser its features, and `simulated` makes
SIMULATED sets whose angles are known.
"""
