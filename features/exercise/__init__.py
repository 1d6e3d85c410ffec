"""From inertial signals at a wrist to sets and repetitions of exercise.

`motion` brings signals to one rate, `frame` to one side, `sets` finds sets in a day, `repetitions`
finds repetitions in a set, `measures` says how each was done, and `windows` and `kernels` give a
recogniser its features.
"""
